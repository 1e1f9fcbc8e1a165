"""The engine's syntax tree of a statement, as `EXPLAIN AST` prints it: one line a node, indented by depth."""

from collections.abc import Iterator
from typing import Final, NamedTuple

# Nodes whose kind is two words.
_OF_TWO_WORDS: Final = ("Columns definition", "Storage definition", "Dictionary definition")


class Node(NamedTuple):
    """One node; `name` is what follows its kind, and `above` is its parent."""

    kind: str
    name: str
    above: "Node | None"

    @property
    def parent_kind(self) -> str:
        """The kind of the node above, empty at the top."""
        return "" if self.above is None else self.above.kind


def nodes(tree: str) -> Iterator[Node]:
    """Yields every node with the one above it, in one pass: the way up is kept and never walked again."""
    path: list[tuple[int, Node]] = []
    # Not splitlines: a text in a literal may hold what only Unicode takes for a line end.
    for line in tree.split("\n"):
        content = line.lstrip(" ")
        if not content:
            continue
        depth = len(line) - len(content)
        while path and path[-1][0] >= depth:
            path.pop()
        node = _node(content, path[-1][1] if path else None)
        path.append((depth, node))
        yield node


def _node(content: str, above: Node | None) -> Node:
    if content.startswith(_OF_TWO_WORDS):
        return Node(" ".join(content.split(" ", 2)[:2]), "", above)
    kind, _, name = content.split(" (", 1)[0].partition(" ")
    return Node(kind, name.rstrip(" "), above)
