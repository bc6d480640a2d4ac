"""Checks of the citations in the dataset that need no source texts. Each rule yields its problems.

To add a rule, write the function and add it to EVIDENCE_RULES.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from app.core.model.fields import RecordFields
from app.core.model.resource import RESOURCES
from app.core.model.support import parts_named, supported_field
from app.core.values.evidence import Citation
from seed.files import Dataset, DatasetKey

CheckRule = Callable[[Dataset], Iterator[str]]


def at(key: DatasetKey) -> str:
    """Return the name of a record in a problem."""
    return f"{key[0]}/{key[1]}"


def evidence(dataset: Dataset) -> Iterator[str]:
    """Check that every record has citations, except those that only define something.

    A citation of a document in the dataset has a paragraph and words; one of an external source has a note.
    """
    documents = dataset.of("documents")
    for key, fields in dataset.records.items():
        if not fields.citations and RESOURCES[key[0]].needs_evidence:
            yield f"{at(key)} has no citation"
        for number, citation in enumerate(fields.citations, 1):
            for problem in (*_uncited(citation, documents.get(citation.document)), *_unsupported(citation, fields)):
                yield f"{at(key)} citation {number}: {problem}"


def _uncited(citation: Citation, document: Any) -> Iterator[str]:
    if citation.basis == "external" and not citation.note:
        yield "basis external needs a note that names the source"
    if document is None or not document.sha256:
        return
    if citation.paragraph is None or citation.as_written is None:
        yield f"the text of {citation.document} is available: paragraph and as_written are required"
    elif document.paragraphs and citation.paragraph > document.paragraphs:
        yield f"{citation.document} has {document.paragraphs} paragraphs"
    if citation.basis == "external":
        yield "basis external is not allowed: the text of the document is available"


def _unsupported(citation: Citation, fields: RecordFields) -> Iterator[str]:
    record = fields.citable()
    for name in citation.supports:
        if supported_field(name) not in record:
            yield f"supports {name}, which is not a field"
        elif record[supported_field(name)] in (None, [], {}) or not any(parts_named(name, record)):
            yield f"supports {name}, which has no value"


def bases(dataset: Dataset) -> Iterator[str]:
    """Check that a list of which some items are inferred says which: a field has one basis, or a pointer for items."""
    for key, fields in dataset.records.items():
        record = fields.citable()
        support: dict[str, set[str]] = defaultdict(set)
        for citation in fields.citations:
            for name in citation.supports:
                support[name].add("inferred" if citation.basis == "inferred" else "stated")
        for name, stated in support.items():
            if len(stated) > 1 and isinstance(record.get(name), list) and len(record[name]) > 1:
                yield f"{at(key)}: {name} is both stated and inferred; name its items, such as /{name}/0"


DATES = ("date", "signed_on", "due", "happened_on", "published_on", "period")


def supported_dates(dataset: Dataset) -> Iterator[str]:
    """Check that a citation supports each date or period of a record."""
    for key, fields in dataset.records.items():
        supported = chain.from_iterable(citation.supports for citation in fields.citations)
        names = set(map(supported_field, supported))
        for name in DATES:
            if getattr(fields, name, None) is not None and name not in names:
                yield f"{at(key)}: no citation supports its {name}"


def written(dataset: Dataset) -> Iterator[str]:
    """Check that a citation supports the value of a figure, and that one of these has its as_written."""
    for key, figure in dataset.of("figures").items():
        needed = "text" if figure.value is None else "value"
        supporting = [citation for citation in figure.citations if needed in citation.supports]
        if not supporting:
            yield f"figures/{key}: no citation supports its value"
        elif figure.as_written not in {citation.as_written for citation in supporting}:
            yield f"figures/{key}: no citation has its as_written"


EVIDENCE_RULES: tuple[CheckRule, ...] = (evidence, bases, supported_dates, written)
