"""The position of a follower in the change feed, in a file."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from hoptac_client.errors import PositionMismatch
from hoptac_client.models import ChangesPage

FEED = "/v1/changes"


class Position:
    """Where a follower continues: the path of the next page, and the last change that the program has processed.

    The file is replaced as a whole and flushed to the disk. If the process is killed, the changes since the last save
    come again, which are at most those of one page.
    """

    def __init__(self, file: str | os.PathLike[str], registry: str, query: Mapping[str, Any], start: int) -> None:
        self._file = Path(file)
        self._source: dict[str, Any] = {
            "registry": registry,
            "query": {name: value for name, value in query.items() if value},
        }
        self.next: str | None = None  # None: the first page, after `processed`
        self.processed = start
        if self._file.exists():
            self._load()

    def request(self, page_size: int, wait: int) -> tuple[str, dict[str, Any]]:
        """Return the path and the parameters of the next page."""
        waiting = {"wait": wait} if wait else {}
        if self.next is None:
            return FEED, {**self._source["query"], "after": self.processed, "limit": page_size, **waiting}
        return self.next, waiting

    def turn(self, page: ChangesPage) -> bool:
        """Continue after a page that was processed; return whether the feed has more changes at the moment."""
        self.next = page["next"]
        self.save()
        return int(httpx.URL(self.next).params["after"]) < page["last"]

    def save(self) -> None:
        """Write the file."""
        position = {**self._source, "next": self.next, "processed": self.processed}
        new_file = self._file.with_name(f"{self._file.name}.new")
        with new_file.open("w", encoding="utf-8") as writer:
            json.dump(position, writer)
            writer.flush()
            os.fsync(writer.fileno())
        new_file.replace(self._file)
        with suppress(OSError):  # Windows cannot open a folder
            folder = os.open(self._file.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _load(self) -> None:
        try:
            position = json.loads(self._file.read_text("utf-8"))
            source = {"registry": position["registry"], "query": position["query"]}
            self.next = position["next"]
            self.processed = int(position["processed"])
        except (ValueError, TypeError, KeyError) as error:
            raise PositionMismatch(f"{self._file} is not the file of a position.") from error
        if source != json.loads(json.dumps(self._source)):
            raise PositionMismatch(f"{self._file} belongs to another registry or other filters. Use another file.")
