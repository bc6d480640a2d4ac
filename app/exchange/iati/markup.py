"""XML text: elements with their attributes. Characters that XML cannot contain become U+FFFD."""

from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from app.core.values.text import xml_characters

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

Attributes = Mapping[str, object]


def element(name: str, attributes: Attributes | None = None, *content: str) -> str:
    """Return an element. `content` is XML already. Attributes that are None are left out."""
    start = "".join([name, *(_attribute(key, value) for key, value in (attributes or {}).items() if value is not None)])
    inner = "".join(content)
    return f"<{start}>{inner}</{name}>" if inner else f"<{start}/>"


def text(value: str) -> str:
    """Return a text as the content of an element."""
    return escape(xml_characters(value), {"\r": "&#13;"})


def _attribute(name: str, value: object) -> str:
    plain = xml_characters(str(value))
    quoted = quoteattr(plain, {"\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})
    return f" {name}={quoted}"


def narratives(texts: Mapping[str, str]) -> str:
    """Return one narrative for each language."""
    return "".join([element("narrative", {"xml:lang": language}, text(value)) for language, value in texts.items()])


def narrated(name: str, texts: Mapping[str, str], attributes: Attributes | None = None) -> str:
    """Return an element with a narrative for each language."""
    return element(name, attributes, narratives(texts))
