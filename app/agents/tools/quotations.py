"""`verify_quotation`: whether the registry cites these words."""

import re
from collections.abc import Mapping
from itertools import chain
from typing import Any

from rapidfuzz import fuzz

from app.agents.items import evidence
from app.agents.pages import Answer, cursor_in, section_of
from app.agents.quoting import quoted
from app.agents.registry import Registry
from app.core.values.normal_forms import normalized

HITS = 20
MAX_RECORDS = 10  # read for one answer
PARAGRAPHS = 200  # of a document, in one read
MAX_PAGES = 5  # of paragraphs
AROUND = 80  # characters before the words
SIMILAR = 70  # percent
CITED = ("equal", "part_of_cited")
VERDICTS = (*CITED, "in_document", "contains_cited", "similar")  # the best first

Arguments = Mapping[str, Any]
Record = Mapping[str, Any]
_MARKS = re.compile(r"[\"'«»“”„‘’]")


async def verify_quotation(registry: Registry, arguments: Arguments) -> Answer:
    """Return the citations with these words, the equal ones first, and the paragraph of the document that has them."""
    words = str(arguments["quotation"])
    document = None
    if "document" in arguments:
        named = await registry.named("document", "documents", str(arguments["document"]))
        registry.learn([named])
        document = named["id"]
    items = await _cited(registry, words, document)
    if document and not any(item["verdict"] in CITED for item in items):
        items += await _in_text(registry, words, document)
    items.sort(key=lambda item: VERDICTS.index(item["verdict"]))
    return Answer(_head(items, document), [section_of(items)])


async def _cited(registry: Registry, words: str, document: str | None) -> list[dict[str, Any]]:
    """Return the citations that equal these words, or are similar, the most similar ones first."""
    hits = (await registry.search(words, "", limit=HITS))["items"]
    best: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}
    for hit in sorted(hits, key=lambda hit: "as_written" not in (hit["field"] or ""))[:MAX_RECORDS]:
        record = await registry.read(f"/v1/{hit['resource']}/{hit['id']}")
        await registry.look_up("documents", {citation["document"] for citation in record["citations"]})
        registry.learn([record])
        for score, item in _compared(registry, record, words, document):
            key = (item["record"], item["quote"])
            best[key] = max(best.get(key, (0.0, {})), (score, item), key=lambda entry: entry[0])
    return [item for _, item in sorted(best.values(), key=lambda entry: -entry[0])]


async def _in_text(registry: Registry, words: str, document: str) -> list[dict[str, Any]]:
    """Return the paragraphs of a document that have these words, among those whose text everyone may read."""
    path = f"/v1/documents/{document}/paragraphs"
    page = await registry.get(path, limit=PARAGRAPHS)
    pages = [page]
    while page["next"] and len(pages) < MAX_PAGES:
        page = await registry.get(path, limit=PARAGRAPHS, cursor=cursor_in(page["next"]))
        pages.append(page)
    wanted = re.compile(rf"(?<!\w){re.escape(_folded(words))}(?!\w)")
    items = []
    for paragraph in chain.from_iterable(page["items"] for page in pages):
        text = paragraph["text"] or ""
        match = wanted.search(_folded(text))
        if match:
            start = max(0, match.start() - AROUND)  # nearly the same place as in the text, which may have more spaces
            item = {
                "verdict": "in_document",
                **registry.reference("documents", document),
                "quote": quoted(text[start:]),
                "paragraph": paragraph["paragraph"],
                "url": registry.url("documents", document),
            }
            items.append(item)
    return items


def _head(items: list[dict[str, Any]], document: str | None) -> dict[str, Any]:
    verdict = items[0]["verdict"] if items else "not_cited"
    if verdict not in ("not_cited", "similar"):
        return {"verdict": verdict}
    reason = "No citation has these words. Send `document` to look in its text too."
    if document:
        reason = "No citation of this document has these words, and no paragraph of its text that may be shown."
    return {"verdict": verdict, "reason": reason}


def _compared(registry: Registry, record: Record, words: str, document: Any) -> list[tuple[float, dict[str, Any]]]:
    compared = []
    for citation in record["citations"]:
        if citation["as_written"] and document in (None, citation["document"]):
            score = fuzz.ratio(_folded(words), _folded(citation["as_written"]))
            verdict = _verdict(_folded(words), _folded(citation["as_written"]), score)
            if verdict:
                item = {
                    "verdict": verdict,
                    **registry.reference(record["resource"], record["id"]),
                    **evidence(registry, citation),
                    "url": registry.url(record["resource"], record["id"]),
                }
                compared.append((score, item))
    return compared


def _verdict(words: str, cited: str, score: float) -> str:
    """Return how the words compare with cited ones. Words that differ in one number are different, not equal."""
    if words == cited:
        return "equal"
    if re.search(rf"(?<!\w){re.escape(words)}(?!\w)", cited):
        return "part_of_cited"
    if re.search(rf"(?<!\w){re.escape(cited)}(?!\w)", words):
        return "contains_cited"
    return "similar" if score >= SIMILAR else ""


def _folded(text: str) -> str:
    return " ".join(_MARKS.sub("", normalized("NFC", text)).casefold().split())
