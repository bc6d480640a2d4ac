"""Pieces of HTML that a page contains hundreds of times: names, links, marks of citations, numbers.

They are functions and not macros of a template, because a page whose pieces are macros takes five times as long.
"""

from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup, escape

from app.explorer.view import Record, Text, View

NOTHING = Markup("")


class Pieces:
    """The pieces of one page. Each method is a function of its templates."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._word = view.word

    def functions(self) -> dict[str, Callable[..., Markup]]:
        """Return the functions by the names that templates call."""
        return {
            "in_language": self.in_language,
            "tx": self.tx,
            "name": self.name,
            "link": self.link,
            "link_to": self.link_to,
            "mention": self.mention,
            "pil": self.pil,
            "marks": self.marks,
            "inferred": self.inferred,
            "num": self.num,
            "num_unit": self.num_unit,
            "money": self.money,
        }

    def in_language(self, text: Text) -> Markup:
        """Return a text, with its language if it is not that of the page."""
        if text.language == self._view.language:
            return escape(text.text)
        return Markup(f'<span lang="{escape(text.language)}">{escape(text.text)}</span>')

    def tx(self, translations: Mapping[str, str] | None) -> Markup:
        """Return a text in the language of the page, or in the other one."""
        for text in self._view.texts(translations)[:1]:
            return self.in_language(text)
        return NOTHING

    def name(self, record: Record) -> Markup:
        """Return the name of a record."""
        return self.in_language(self._view.title_of(record)[0])

    def link(self, resource: str, record: Record) -> Markup:
        """Return the name of a record, with a link to its page."""
        return self._anchor(resource, record["id"], self.name(record))

    def link_to(self, resource: str, record_id: str, records: Mapping[str, Record]) -> Markup:
        """Return the link to the page of an id, whose record may not be among the included ones."""
        if record_id in records:
            return self.link(resource, records[record_id])
        return self._anchor(resource, record_id, escape(self._word(f"one_{resource}")))

    def mention(self, record: Record) -> Markup:
        """Return the link to a record of which the page knows resource and id, with its kind and perhaps its name."""
        kind = escape(self._word(f"one_{record['resource']}"))
        name = self._view.name_of(record["resource"], record["id"])
        content = Markup(f"{kind}: {self.in_language(name)}") if name else kind
        return self._anchor(record["resource"], record["id"], content)

    def _anchor(self, resource: str, record_id: str, content: Markup) -> Markup:
        return Markup(f'<a href="{escape(self._view.record_href(resource, record_id))}">{content}</a>')

    def _paragraph(self, citation: Record) -> Markup:
        """Return the letter of a document and the paragraph in words."""
        number = citation["paragraph"]
        paragraph = self._word("paragraph", paragraph=number) if number else self._word("external_source")
        return escape(f"{self._view.siglum(citation['document'])}{paragraph}")

    def _sign(self, citation: Record) -> Markup:
        """Return the letter of a document and the number of a paragraph."""
        paragraph = citation["paragraph"]
        sign = f"¶{paragraph}" if paragraph else self._word("external_source")
        return escape(f"{self._view.siglum(citation['document'])}{sign}")

    def pil(self, citation: Record) -> Markup:
        """Return a mark that leads to the cited paragraph."""
        href = escape(self._view.citation_href(citation))
        name = self._paragraph(citation)  # for screen readers, because the content is hidden from them
        return Markup(
            f'<a class="pil" href="{href}" title="{name}"><i aria-hidden="true">{self._sign(citation)}</i></a>'
        )

    def marks(self, record: Record, fields: tuple[str, ...], most: int = 2) -> Markup:
        """Return the marks of the first citations that support fields of a record."""
        cited = self._view.citations(record, *fields)[:most]
        return NOTHING.join(Markup("&nbsp;") + self.pil(citation) for citation in cited)

    def inferred(self, record: Record, pointer: str) -> Markup:
        """Return a tag if no source states the value."""
        if not self._view.is_inferred(record, pointer):
            return NOTHING
        self._view.has_inferred = True
        return Markup(f' <span class="tag inf">{escape(self._word("inferred"))}</span>')

    def num(self, figure: Record, sup: bool = True) -> Markup:
        """Return a number, which leads to its evidence."""
        value = self.tx(figure["text"]) if figure["value"] is None else escape(self._view.value(figure))
        return self._number("figures", figure, value, sup)

    def money(self, transaction: Record) -> Markup:
        """Return the amount of a transaction, which leads to its evidence, with its currency."""
        number = self._number("transactions", transaction, escape(self._view.number(transaction["value"])))
        return Markup(f"{number}&nbsp;{escape(transaction['currency'])}")

    def _number(self, resource: str, record: Record, value: Markup, sup: bool = True) -> Markup:
        view = self._view
        mark = NOTHING
        for citation in view.citations(record, "value", "text")[:1]:
            sign = f'<sup aria-hidden="true">{self._sign(citation)}</sup>' if sup else ""
            mark = Markup(f'{sign}<span class="vh"> ({self._paragraph(citation)})</span>')
        return Markup(
            f'<a class="ev" href="{escape(view.record_href(resource, record["id"]))}" data-ev>{value}{mark}</a>'
        )

    def num_unit(self, figure: Record) -> Markup:
        """Return a number with its qualifier and unit."""
        view = self._view
        qualifier = view.qualifier(figure)
        unit = view.unit(figure) if figure["value"] is not None and figure["kind"] != "rank" else ""
        before = f"{escape(qualifier)} " if qualifier else ""
        after = f" {escape(unit)}" if unit else ""
        return Markup(f"{before}{self.num(figure)}{after}")


def pieces_of(view: View) -> dict[str, Any]:
    """Return the functions of the templates of a page."""
    return Pieces(view).functions()
