"""Reading the lines that are written in one transaction: as many as the other writers can wait for."""

from itertools import chain
from typing import Any

from sqlmodel import Session

from app.core.model.resource import RESOURCES
from app.core.writing.batch import Batch
from app.exchange.imports.identify import Match
from app.exchange.imports.line import ImportLine
from app.exchange.imports.plan import Plan
from app.exchange.imports.storage.line_chunks import judged_lines, lines_by_number

# What is written before other writers get their turn.
CHUNK = 250  # lines
CHUNK_SECONDS = 0.4  # after a slower chunk, the next one is half as large
SMALLEST_SHARE = 0.1
CHUNK_BYTES = 300_000  # of the lines; 1 MB of words that the search has not seen takes 1.6 s
PRESENT_BYTES = 4_000_000  # of the records that they change

# Earlier lines that are written again for a chunk of a dry run.
CONTEXT = 500
CONTEXT_BYTES = 1_000_000

Groups = list[list[ImportLine]]


class ChunkReader:
    """Reads the lines of a plan, group by group. `is_table`: they are rows of a table."""

    def __init__(self, import_id: str, plan: Plan, *, is_table: bool) -> None:
        self._import_id = import_id
        self._plan = plan
        self._is_table = is_table
        self._share = 1.0  # of the bounds above
        self._next = 0  # the position of the next group

    @property
    def has_more(self) -> bool:
        """Whether there are groups that were not read."""
        return self._next < len(self._plan.groups)

    def adapt(self, seconds: float) -> None:
        """Choose the size of the next chunk by the time for which the previous one had the lock of the writers."""
        factor = 0.5 if seconds > CHUNK_SECONDS else 2.0
        self._share = min(max(self._share * factor, SMALLEST_SHARE), 1.0)

    def next_groups(self, session: Session) -> Groups:
        """Return the next groups of lines: one, or as many as fit."""
        chunk = self._next_numbers()
        contents = lines_by_number(session, self._import_id, chain.from_iterable(chunk))
        groups = [[self._line(session, number, *contents[number]) for number in group] for group in chunk]
        fitting = _fitting(session, groups)
        self._next += len(fitting)
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
        linked = _reachable(self._plan, chunk, CONTEXT)
        lines = [
            self._line(session, judged.number, judged.resource, judged.content, (judged.record_id, judged.matched_by))
            for judged in judged_lines(session, self._import_id, sorted(linked), CONTEXT_BYTES)
        ]
        return list(chain.from_iterable(_fitting(session, [[line] for line in lines])))

    def _line(
        self, session: Session, number: int, name: str, content: dict[str, Any], match: Match | None = None
    ) -> ImportLine:
        resource = RESOURCES[name]
        refusal = self._plan.refusal(number)
        errors = [refusal] if refusal else self._plan.resolve_names(session, resource, content)
        record_id, matched_by = match or self._plan.match(number, content)
        return ImportLine(number, resource, record_id, content, matched_by, self._is_table, errors)


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


def _reachable(plan: Plan, start: set[int], limit: int) -> set[int]:
    """Return at most `limit` lines to which the lines of `start` link, directly or through others, nearest first."""
    reached: set[int] = set()
    nearest = start
    while nearest and len(reached) < limit:
        targets = set(plan.linked_lines(nearest))
        nearest = set(sorted(targets - reached - start)[: limit - len(reached)])
        reached |= nearest
    return reached
