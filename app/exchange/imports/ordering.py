"""An order of lines in which each comes after those that it names; lines that name each other stay together."""

from collections.abc import Iterator, Mapping, Sequence


def components(below: Mapping[int, Sequence[int]]) -> list[list[int]]:
    """The strongly connected components of a graph, each after those that it points to."""
    walk = _Walk(below)
    for node in below:
        walk.begin(node)
    return walk.found


class _Walk:
    """Tarjan's algorithm, without recursion: chains may be as long as the file."""

    def __init__(self, below: Mapping[int, Sequence[int]]) -> None:
        self.found: list[list[int]] = []
        self._below = below
        self._order: dict[int, int] = {}
        self._low: dict[int, int] = {}
        self._stack: list[int] = []
        self._open: set[int] = set()

    def begin(self, start: int) -> None:
        path = [] if start in self._order else [self._enter(start)]
        while path:
            node, rest = path[-1]
            after = next(rest, None)
            if after is None:
                path.pop()
                self._leave(node)
                if path:
                    self._reach(path[-1][0], self._low[node])
            elif after not in self._order:
                path.append(self._enter(after))
            elif after in self._open:
                self._reach(node, self._order[after])

    def _enter(self, node: int) -> tuple[int, Iterator[int]]:
        self._order[node] = self._low[node] = len(self._order)
        self._stack.append(node)
        self._open.add(node)
        return node, iter(self._below.get(node, ()))

    def _reach(self, node: int, order: int) -> None:
        self._low[node] = min(self._low[node], order)

    def _leave(self, node: int) -> None:
        if self._low[node] != self._order[node]:
            return
        group: list[int] = []
        while not group or group[-1] != node:
            group.append(self._stack.pop())
        self._open.difference_update(group)
        self.found.append(sorted(group))
