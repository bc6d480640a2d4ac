"""The documents are kept up to date: the guides' answers are those of the API, settings and folders are described."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.catalogue import RESOURCES
from app.core.settings import Settings

ROOT = Path(__file__).parents[1]
GUIDES = "\n".join(path.read_text("utf-8") for path in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))])
READING = "\n".join(
    (ROOT / name).read_text("utf-8") for name in ("README.md", "docs/use-the-api.md", "docs/the-data.md")
)
EXAMPLES = re.findall(r"```console\n\$ curl -s 'http://127\.0\.0\.1:8000(\S+)'\n(.*?)\n```", READING, re.DOTALL)


def test_guides_have_examples() -> None:
    assert len(EXAMPLES) == 11


@pytest.mark.parametrize(("path", "shown"), EXAMPLES, ids=[path[:40] for path, _ in EXAMPLES])
def test_guides_show_what_the_api_answers(client: TestClient, path: str, shown: str) -> None:
    answered: Any = client.get(path).json()
    assert json.loads(shown) == answered


def test_the_recipes_name_files_and_columns_that_exist(client: TestClient) -> None:
    text = (ROOT / "docs/clients.md").read_text("utf-8")
    files = [client.get(path) for path in re.findall(r'/v1/[a-z]+\.[a-z]+\?[^"]+', text)]
    assert [file.status_code for file in files] == [200] * 6
    content = "".join(file.text for file in files)
    selected = text.partition("supported[[")[2].partition("]]")[0]
    columns = re.findall(r'"([a-z_.]+)"', selected)
    assert len(columns) == 5
    assert all(column in content for column in columns)


def test_each_setting_is_in_the_guides_with_its_default() -> None:
    for name, field in Settings.model_fields.items():
        assert f"| `HOPTAC_{name.upper()}` | `{field.default}` | {field.description} |" in (
            ROOT / "docs/settings.md"
        ).read_text("utf-8")


def test_each_resource_is_in_the_guides() -> None:
    for resource in RESOURCES:
        assert f"/v1/{resource.name}" in GUIDES


def test_each_folder_is_in_the_architecture_and_says_what_it_is_for() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    for path in ROOT.glob("app/**/__init__.py"):
        assert re.search(rf"\b{path.parent.name}\b", text), path
        assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), path


def test_each_module_of_the_core_is_in_the_architecture() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    for path in [*ROOT.glob("app/*.py"), *ROOT.glob("app/core/**/*.py")]:
        if not path.stem.startswith("__"):
            assert re.search(rf"\b{path.stem}\b", text), path


def test_folders_of_the_application_are_small() -> None:
    folders = [path.parent for path in ROOT.glob("app/**/__init__.py")]
    for folder in folders:
        assert sum(parent.parent == folder for parent in folders) <= 19, folder
        modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= 16, folder
        assert sum(len(path.read_text("utf-8").splitlines()) for path in modules) <= 2_500, folder


def anchors(path: Path) -> set[str]:
    text = re.sub(r"^ *```.*?^ *```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_each_link_between_documents_leads_to_a_file_and_a_heading() -> None:
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", path.read_text("utf-8")):
            if ":" in target or target.startswith("/"):
                continue
            file = path.parent / target if target else path
            assert file.exists(), f"{path}: {target}"
            assert not anchor or anchor in anchors(file), f"{path}: {target}#{anchor}"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 250


def test_each_target_of_the_makefile_has_help() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE):
        assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE), target


def test_the_changelog_starts_with_what_is_not_released() -> None:
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0].startswith("Unreleased")
