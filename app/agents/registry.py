"""Reads of the public API for one call of a tool, in the process and without a key, as pages make them."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.types import ASGIApp, Scope

from app.agents.pages import cursor_in
from app.agents.quoting import quoted
from app.agents.refusals import UNAVAILABLE, Ambiguous, Refusal
from app.core.values.text import SLUG
from app.explorer.reads import PublicReads, ReadFailed

MAX_READS = 60  # of one call; finding the first Change after a date takes up to 25
MAX_CANDIDATES = 6
MAX_LABEL = 90  # characters
MAX_WORDS = 300  # characters of a search

RESOURCES = (
    *("projects", "partners", "agreements", "milestones", "statements"),
    *("figures", "indicators", "transactions", "documents", "places"),
)
NAMES = {
    **dict.fromkeys(("partners", "places", "indicators"), "name"),
    "statements": "summary",
    "figures": "as_written",
    "transactions": "description",
}
ABSENT = (404, 410)

Record = Mapping[str, Any]
_SLUG = re.compile(SLUG)


class Registry:
    """The records that one call reads, in one language. `base` is the URL of the registry as the client sees it."""

    def __init__(self, api: ASGIApp, scope: Scope, base: str, language: str) -> None:
        self.language = language
        self._reads = PublicReads(api, scope, "en", MAX_READS)
        self._base = base
        self._labels: dict[tuple[str, str], str] = {}

    async def get(self, path: str, **parameters: Any) -> Any:
        """Return the JSON at a path. Raise ReadFailed for what is not there, and a refusal if the read fails."""
        try:
            return await self._reads.get(path, parameters)
        except ReadFailed as failure:
            if failure.location or failure.status in ABSENT:
                raise
            raise refused_read(failure) from None

    async def read(self, path: str, **parameters: Any) -> Any:
        """Return the JSON at a path, with texts in the language and the labels of codes and dates."""
        return await self.get(path, **parameters, lang=self.language, labels=self.language)

    async def list(self, resource: str, cursor: str, limit: int, **parameters: Any) -> tuple[list[Record], str]:
        """Return a page of records with their labels, and the cursor of the next page."""
        page = await self.read(f"/v1/{resource}", limit=limit, cursor=cursor, **parameters)
        for kind in page.get("included", {}).values():
            self.learn(kind.values())
        self.learn(page["items"])
        return page["items"], cursor_in(page["next"])

    def url(self, resource: str, record_id: str) -> str:
        """Return the address of the page of a record."""
        return f"{self._base}/{resource}/{record_id}"

    def reference(self, resource: str, record_id: str) -> dict[str, str]:
        """Return a record as resource/id, and its label if it was read."""
        label = self._labels.get((resource, record_id))
        return {"record": f"{resource}/{record_id}", **({"label": label} if label else {})}

    def learn(self, records: Iterable[Record]) -> None:
        """Keep the labels of these records."""
        for record in records:
            if "resource" in record:
                self._labels[record["resource"], record["id"]] = self.label_of(record)

    def label_of(self, record: Record) -> str:
        """Return the label of a record: its title, name or words, as a quotation."""
        text = record.get(NAMES.get(record["resource"], "title"))
        if isinstance(text, Mapping):
            text = text.get(self.language) or next(iter(text.values()), None)
        return quoted(text or record["id"], MAX_LABEL)

    async def look_up(self, resource: str, ids: Iterable[str | None]) -> None:
        """Read the labels of records that are not known yet."""
        missing = sorted({id_ for id_ in ids if id_ and (resource, id_) not in self._labels})[:100]
        if missing:
            await self.list(resource, "", len(missing), id=missing)

    async def search(self, words: str, resource: str, cursor: str = "", limit: int = MAX_CANDIDATES) -> Any:
        """Return a page of the search."""
        query = " ".join(words.split())[:MAX_WORDS]
        return await self.get("/v1/search", q=query, resource=resource, limit=limit, cursor=cursor, lang=self.language)

    def hit(self, hit: Record) -> dict[str, Any]:
        """Return a hit of the search as an item."""
        name = " ".join(hit["name"].values()) if hit["name"] else hit["id"]
        item = {"record": f"{hit['resource']}/{hit['id']}", "label": quoted(name)}
        if hit["snippet"] and hit["snippet"] not in name:
            item["match"] = quoted(hit["snippet"])
        if hit["project"]:
            item["project"] = f"projects/{hit['project']['id']}"
        return {**item, "url": self.url(hit["resource"], hit["id"])}

    async def named(self, argument: str, resource: str, text: str, under: str = "", **parameters: Any) -> Any:
        """Return what is at the path of a record, or `under` it, by the id or the name of the record.

        Raises Ambiguous if the name can be that of several records, and a refusal if it is that of none.
        """
        words = text.removeprefix(f"{resource}/").replace("-", " ")
        slug = "-".join(words.casefold().split())  # also of a name such as UNIDO
        if len(slug) <= 120 and _SLUG.match(slug):
            try:
                return await self._followed(f"/v1/{resource}/{slug}", under, parameters)
            except ReadFailed:
                pass
        hits = (await self.search(words, resource))["items"]
        named = [hit for hit in hits if hit["tier"] == "in_names"]
        if len(named) == 1:
            return await self._followed(f"/v1/{resource}/{named[0]['id']}", under, parameters)
        if hits:
            raise Ambiguous(argument, [self.hit(hit) for hit in hits])
        raise await self._unknown(argument, resource)

    async def any_record(self) -> dict[str, str]:
        """Return the argument `record` with a record that can be read; nothing in an empty registry."""
        items = (await self.get("/v1/projects", limit=1))["items"]
        return {"record": f"projects/{items[0]['id']}"} if items else {}

    async def _followed(self, path: str, under: str, parameters: Mapping[str, Any]) -> Any:
        """Return what is at a path, or at the path of the record into which this one was merged."""
        try:
            return await self.read(path + under, **parameters)
        except ReadFailed as failure:
            if not failure.location:
                raise
            return await self.read(failure.location + under, **parameters)

    async def _unknown(self, argument: str, resource: str) -> Refusal:
        first = (await self.get(f"/v1/{resource}", limit=1))["items"]
        if first:
            changes = {argument: f"{resource}/{first[0]['id']}" if argument == "record" else first[0]["id"]}
        else:
            changes = await self.any_record() if argument == "record" else {}
        return Refusal(
            "not_found",
            f"`{argument}` names no public record of {resource}.",
            "Get an id with the tool find, or use the one in `try`." if first else f"There are no {resource} yet.",
            changes,
        )


def refused_read(failure: ReadFailed) -> Refusal:
    """Return the refusal for a read that failed. A record that is absent was deleted during the call."""
    if failure.status >= 500 or failure.status in (*ABSENT, 429):
        return Refusal(UNAVAILABLE, "The registry is busy.", "Repeat the same call in a few seconds.")
    code = str(failure.problem.get("code", "invalid"))
    if code == "bad_cursor":
        return Refusal(code, "`more` belongs to another call.", "Leave `more` out.", {"more": None})
    details = [str(error["detail"]) for error in failure.problem.get("errors", [])]
    detail = " ".join(details) or str(failure.problem.get("detail", ""))
    return Refusal(code, detail, "Send the arguments in `try`, with your own values.")
