"""The order in which lines are written: a line comes after the lines to which it links.

Lines that link to each other, directly or through others, must be written in one transaction, since neither can come
first. They form a group. For example, if line 1 links to 2 and 3, 2 links to 1, and 3 links to 4:

    1 <-> 2,  1 -> 3 -> 4        the groups, in order: [4], [3], [1, 2]

In the terms of graph theory, the groups are the strongly connected components, in reverse topological order.
"""

from collections.abc import Iterator, Mapping, Sequence


def components(links: Mapping[int, Sequence[int]]) -> list[list[int]]:
    """Return the groups of a graph, each after those to which it links. `links` maps a node to its targets."""
    search = _Search(links)
    for node in links:
        search.visit(node)
    return search.groups


class _Search:
    """Tarjan's algorithm, a depth-first search. It does not recurse, because a chain can be as long as the file.

    Nodes are numbered in the order of their visits. The nodes on `_stack` were visited and are in no group yet.
    `_lowest` is the lowest number of these nodes that is known to be reachable from a node. If that is the number of
    the node itself, the node and all above it on the stack form a group.
    """

    def __init__(self, links: Mapping[int, Sequence[int]]) -> None:
        self.groups: list[list[int]] = []
        self._links = links
        self._number: dict[int, int] = {}
        self._lowest: dict[int, int] = {}
        self._stack: list[int] = []
        self._on_stack: set[int] = set()

    def visit(self, start: int) -> None:
        """Visit every node that can be reached from `start` and was not visited before."""
        path = [] if start in self._number else [self._enter(start)]
        while path:
            node, targets = path[-1]
            target = next(targets, None)
            if target is None:
                path.pop()
                self._leave(node)
                if path:
                    self._lower(path[-1][0], self._lowest[node])
            elif target not in self._number:
                path.append(self._enter(target))
            elif target in self._on_stack:
                self._lower(node, self._number[target])

    def _enter(self, node: int) -> tuple[int, Iterator[int]]:
        number = len(self._number)
        self._number[node] = number
        self._lowest[node] = number
        self._stack.append(node)
        self._on_stack.add(node)
        return node, iter(self._links.get(node, ()))

    def _lower(self, node: int, number: int) -> None:
        self._lowest[node] = min(self._lowest[node], number)

    def _leave(self, node: int) -> None:
        if self._lowest[node] != self._number[node]:
            return
        group: list[int] = []
        while not group or group[-1] != node:
            group.append(self._stack.pop())
        self._on_stack.difference_update(group)
        self.groups.append(sorted(group))
