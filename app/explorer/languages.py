"""The words of the pages, in English and Vietnamese (texts.toml). Labels of codes and dates come from the API."""

import tomllib
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "vi")
DEFAULT = "en"


def chosen_language(requested: str | None) -> str:
    """Return the requested language, or English if there is no such language."""
    return requested if requested in LANGUAGES else DEFAULT


@cache
def words(language: str) -> dict[str, str]:
    """Return all texts in a language, by their names."""
    texts = tomllib.loads((files("app.explorer") / "texts.toml").read_text("utf-8"))
    return {name: translations[language] for name, translations in texts.items()}
