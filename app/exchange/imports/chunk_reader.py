"""Reading the lines that are written in one transaction: as many as the other writers can wait for."""

import json
import time
from itertools import chain

from sqlmodel import Session

from app.core.errors import ErrorItem
from app.core.model.resource import RESOURCES, Resource
from app.core.model.validation import top_member
from app.core.writing.batch import Batch
from app.exchange.formats.lines import SourceError
from app.exchange.imports.line import ImportLine
from app.exchange.imports.planning.identify import Match
from app.exchange.imports.planning.plan import Plan
from app.exchange.imports.storage.line_chunks import LineContent, judged_lines, lines_by_number
from app.exchange.imports.storage.store import read_errors

# The amount that is written before other writers get their turn.
CHUNK = 250  # lines
CHUNK_SECONDS = 0.4  # after a slower chunk, the next one is half as large
MAX_CHUNK_SECONDS = 1.0  # after that, a chunk of several groups is rolled back and begins again with fewer lines
SMALLEST_SHARE = 0.1
CHUNK_BYTES = 300_000  # of the lines; 1 MB of words that the search has not seen takes 1.6 s
PRESENT_BYTES = 4_000_000  # of the records that they change

# Earlier lines that are written again for a chunk of a dry run.
CONTEXT = 500
CONTEXT_BYTES = 1_000_000

Groups = list[list[ImportLine]]


class ChunkTooSlow(Exception):
    """The lines of a chunk take longer than other writers can wait."""


class ChunkReader:
    """Reads the lines of a plan, group by group. `with_ids`: they report links that contain ids too."""

    def __init__(self, import_id: str, plan: Plan, *, with_ids: bool = False) -> None:
        self._import_id = import_id
        self._plan = plan
        self._with_ids = with_ids
        self._share = 1.0  # of the bounds above
        self._next = 0  # the position of the next group
        self._groups = 0  # of the chunk that was read last
        self._until = 0.0

    @property
    def has_more(self) -> bool:
        """Whether there are groups that were not read."""
        return self._next < len(self._plan.groups)

    def adapt(self, seconds: float) -> None:
        """Choose the size of the next chunk by the time for which the previous one had the lock of the writers."""
        if seconds <= CHUNK_SECONDS:
            self._share = min(self._share * 2, 1.0)
        else:
            self._share = max(self._share / 2, min(self._share, SMALLEST_SHARE))

    def check_time(self) -> None:
        """Raise ChunkTooSlow if the lines of the chunk take too long. A single group has no limit."""
        if self._groups > 1 and time.monotonic() > self._until:
            raise ChunkTooSlow

    def stop_clock(self) -> None:
        """Remove the time limit of the chunk that was read last."""
        self._until = float("inf")

    def start_clock(self) -> None:
        """Start to measure the time of the chunk that was read last."""
        self._until = time.monotonic() + MAX_CHUNK_SECONDS

    def retry(self) -> None:
        """Read the lines of the last chunk again, a quarter of them at once."""
        self._next -= self._groups
        self._share = max(self._share / 4, 1 / CHUNK)

    def next_groups(self, session: Session) -> Groups:
        """Return the next groups of lines: one, or as many as fit."""
        chunk = self._next_numbers()
        contents = lines_by_number(session, self._import_id, chain.from_iterable(chunk))
        groups = [[self._line(session, contents[number]) for number in group] for group in chunk]
        fitting = _fitting(session, groups)
        self._groups = len(fitting)
        self._next += self._groups
        self.start_clock()
        return fitting

    def _next_numbers(self) -> list[list[int]]:
        chunk: list[list[int]] = []
        lines = 0
        size = 0
        for position in range(self._next, len(self._plan.groups)):
            group = self._plan.groups[position]
            lines += len(group)
            size += sum(map(self._plan.size, group))
            if chunk and (lines > CHUNK * self._share or size > CHUNK_BYTES * self._share):
                break
            chunk.append(group)
        return chunk

    def context(self, session: Session, groups: Groups) -> list[ImportLine]:
        """Return the earlier lines to which the lines of a dry run link, directly or through others."""
        chunk = {line.number for line in chain.from_iterable(groups)}
        linked = self._nearest(_reachable(self._plan, chunk, max(int(CONTEXT * self._share), len(chunk))))
        lines = [
            self._line(session, judged, (judged.record_id or "", judged.matched_by))
            for judged in judged_lines(session, self._import_id, sorted(linked), CONTEXT_BYTES)
        ]
        return list(chain.from_iterable(_fitting(session, [[line] for line in lines])))

    def _nearest(self, numbers: list[int]) -> list[int]:
        """Return the first lines, as many as the size of the chunk allows. The nearest lines come first."""
        remaining = CONTEXT_BYTES * self._share
        for position, number in enumerate(numbers):
            remaining -= self._plan.size(number)
            if remaining < 0 and position:
                return numbers[:position]
        return numbers

    def _line(self, session: Session, stored: LineContent, match: Match | None = None) -> ImportLine:
        resource = RESOURCES[stored.resource]
        content = self._plan.load(stored.record)
        names = self._plan.resolve_names(session, resource, content, with_ids=self._with_ids)
        record_id, matched_by = match or self._plan.match(stored.number, content)
        errors: list[ErrorItem] = [SourceError(**error) for error in read_errors(stored.errors)]
        refusal = self._plan.refusal(stored.number)
        # A name that could not be read is not missing.
        if refusal and not (refusal.code == "no_id" and any(_names_record(resource, error) for error in errors)):
            errors.insert(0, refusal)
        moved = json.loads(stored.moved or "{}")
        return ImportLine(
            stored.number,
            resource,
            record_id,
            content,
            matched_by,
            moved if self._plan.is_table else None,
            None if self._plan.is_table or not moved else moved,
            [*errors, *names.errors],
            names.resolved,
        )


def _names_record(resource: Resource, error: ErrorItem) -> bool:
    """Return whether an error is about a member by which the record of a line is found."""
    return top_member(error) in {"id", "identifiers", *(resource.names or resource.heading)}


def _fitting(session: Session, groups: Groups) -> Groups:
    """Return the first groups: at least one, and no more than those whose present records fit into memory."""
    ids: dict[str, list[str]] = {}
    for line in chain.from_iterable(groups):
        ids.setdefault(line.resource.name, []).append(line.record_id)
    batch = Batch(session, "")
    sizes = {name: batch.stored_sizes(RESOURCES[name], own_ids) for name, own_ids in ids.items()}
    remaining = PRESENT_BYTES
    for position, group in enumerate(groups):
        remaining -= sum(sizes[line.resource.name].get(line.record_id, 0) for line in group)
        if remaining < 0 and position:
            return groups[:position]
    return groups


def _reachable(plan: Plan, start: set[int], limit: int) -> list[int]:
    """Return at most `limit` lines to which the lines of `start` link, directly or through others, nearest first."""
    reached: dict[int, None] = {}
    nearest = start
    while nearest and len(reached) < limit:
        targets = set(plan.linked_lines(nearest))
        nearest = set(sorted(targets - reached.keys() - start)[: limit - len(reached)])
        reached |= dict.fromkeys(sorted(nearest))
    return list(reached)
