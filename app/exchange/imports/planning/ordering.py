"""The order in which lines are written: a line comes after the lines to which it links.

Lines that link to each other, directly or through others, must be written in one transaction, since neither can come
first. They form a group. For example, if line 1 links to 2 and 3, 2 links to 1, and 3 links to 4:

    1 <-> 2,  1 -> 3 -> 4        the groups, in order: [4], [3], [1, 2]

In the terms of graph theory, the groups are the strongly connected components, in reverse topological order.
"""

from array import array
from collections.abc import Iterator

from app.exchange.imports.storage.compact import IntLists


def components(links: IntLists) -> Iterator[list[int]]:
    """Yield the groups of a graph, each after those to which it links. `links` has the targets of each node."""
    search = _Search(links)
    for node in range(len(links)):
        yield from search.visit(node)


class _Search:
    """Tarjan's algorithm, a depth-first search. It does not recurse, because a chain can be as long as the file.

    Nodes are numbered in the order of their visits, from 1; 0 means not visited. The nodes on `_stack` were visited and
    are in no group yet. `_lowest` is the lowest number of these nodes that is known to be reachable from a node. If
    that is the number of the node itself, the node and all above it on the stack form a group. `_path` has the nodes
    from `start` to the present one, and `_next` which of its links each of them follows next.
    """

    def __init__(self, links: IntLists) -> None:
        self._links = links
        self._number = array("I", bytes(4 * len(links)))
        self._lowest = array("I", bytes(4 * len(links)))
        self._on_stack = bytearray(len(links))
        self._stack = array("I")
        self._path = array("I")
        self._next = array("I")
        self._visited = 0

    def visit(self, start: int) -> Iterator[list[int]]:
        """Visit every node that can be reached from `start` and was not visited before. Yield their groups."""
        if not self._number[start]:
            self._enter(start)
        while self._path:
            node = self._path[-1]
            target = self._links.item(node, self._next[-1])
            self._next[-1] += 1
            if target is None:
                yield from self._leave(node)
            elif not self._number[target]:
                self._enter(target)
            elif self._on_stack[target]:
                self._lower(node, self._number[target])

    def _enter(self, node: int) -> None:
        self._visited += 1
        self._number[node] = self._visited
        self._lowest[node] = self._visited
        self._stack.append(node)
        self._on_stack[node] = 1
        self._path.append(node)
        self._next.append(0)

    def _lower(self, node: int, number: int) -> None:
        self._lowest[node] = min(self._lowest[node], number)

    def _leave(self, node: int) -> Iterator[list[int]]:
        self._path.pop()
        self._next.pop()
        if self._path:
            self._lower(self._path[-1], self._lowest[node])
        if self._lowest[node] == self._number[node]:
            group: list[int] = []
            while not group or group[-1] != node:
                group.append(self._stack.pop())
                self._on_stack[group[-1]] = 0
            yield sorted(group)
