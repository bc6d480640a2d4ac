"""`verify_quotation`: whether the registry cites these words."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from rapidfuzz import fuzz

from app.agents.items import evidence
from app.agents.pages import Answer, section_of
from app.agents.registry import Registry

HITS = 20
MAX_RECORDS = 10  # read for one answer
SIMILAR = 70  # percent
VERDICTS = ("equal", "part_of_cited", "contains_cited", "similar")  # the best first

Arguments = Mapping[str, Any]
Record = Mapping[str, Any]
_MARKS = re.compile(r"[\"'«»“”„‘’]")


async def verify_quotation(registry: Registry, arguments: Arguments) -> Answer:
    """Return the citations with these words, the equal ones first."""
    words = str(arguments["quotation"])
    document = arguments.get("document")
    hits = (await registry.search(words, "", limit=HITS))["items"]
    best: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}
    for hit in sorted(hits, key=lambda hit: "as_written" not in (hit["field"] or ""))[:MAX_RECORDS]:
        record = await registry.read(f"/v1/{hit['resource']}/{hit['id']}")
        await registry.look_up("documents", {citation["document"] for citation in record["citations"]})
        registry.learn([record])
        for score, item in _compared(registry, record, words, document):
            key = (item["record"], item["quote"])
            best[key] = max(best.get(key, (0.0, {})), (score, item), key=lambda entry: entry[0])
    items = [item for _, item in sorted(best.values(), key=lambda entry: -entry[0])]
    items.sort(key=lambda item: VERDICTS.index(item["verdict"]))
    return Answer(_head(items), [section_of(items)])


def _head(items: list[dict[str, Any]]) -> dict[str, Any]:
    verdict = items[0]["verdict"] if items else "not_cited"
    if verdict in ("not_cited", "similar"):
        reason = "No citation has these words. The registry stores cited words alone, so the document may have them."
        return {"verdict": verdict, "reason": reason}
    return {"verdict": verdict}


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
    return " ".join(_MARKS.sub("", unicodedata.normalize("NFC", text)).casefold().split())
