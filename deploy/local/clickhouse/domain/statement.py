"""Which statements may run: decided on the engine's own canonical text and tree, never on the original.

The tree names the kind of statement, its parts, functions and tables. It leaves out what `APPLY`,
`SHOW ... WHERE` and a function passed by name call, so names are also looked for in the canonical text.
A name can only be refused too often this way, never too rarely.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from deploy.local.clickhouse.domain.canonical import Token, tokens
from deploy.local.clickhouse.domain.errors import ACCESS_DENIED, READONLY, StoreError
from deploy.local.clickhouse.domain.parts import READER_KINDS, READER_PARTS, WRITER_KINDS
from deploy.local.clickhouse.domain.settings_names import is_allowed_setting
from deploy.local.clickhouse.domain.structures import has_only_plain_values
from deploy.local.clickhouse.domain.system_tables import is_hidden_system_table
from deploy.local.clickhouse.domain.tree import Node, nodes
from deploy.local.clickhouse.domain.vocabulary import (
    Vocabulary,
    is_refused_engine,
)

_SYSTEM_VERBS: Final = frozenset({"FLUSH", "START", "STOP", "SYNC", "WAIT"})
_SYSTEM: Final = "system"
# How many times as long as what was sent the canonical text may be.
LARGEST_GROWTH: Final = 2
# Functions whose second argument may be a table or a table function.
_IN: Final = frozenset(
    f"{where}{null}{word}{ending}"
    for where in ("", "global")
    for null in ("", "null", "notnull")
    for word in ("in", "notin")
    for ending in ("", "ignoreset")
)


_LINE_END: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\[nr]")


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that was checked and may run: exactly `text`, nothing that the client sent."""

    text: str
    kind: str
    format: str

    @property
    def has_result(self) -> bool:
        """Whether rows come back, so that a FORMAT makes sense."""
        return self.kind.startswith(("Select", "Show", "Explain", "Exists", "Describe", "Check", "Kill"))

    @property
    def depends_on_parameters(self) -> bool:
        """Whether a parameter can name something in it, so that it is checked with each of them."""
        return names_by_parameter(self.text)

    @property
    def insert_head(self) -> str:
        """The text of an INSERT without its FORMAT clause, to which data is then fed."""
        for before, token in reversed(_pairs(list(tokens(self.text)))):
            if before.text == "FORMAT" and token.kind == "word":
                return self.text[: before.start].rstrip()
        return self.text


def names_by_parameter(text: str) -> bool:
    """Returns whether a parameter of canonical `text` can be a name in it."""
    return "Identifier" in text


def check_text(text: str, *, is_writer: bool, vocabulary: Vocabulary) -> None:
    """Raises StoreError for canonical text that names a way out of the store; run before `EXPLAIN AST`."""
    found = list(tokens(text))
    for before, token in _pairs(found):
        if before.is_word("INTO") and token.is_word("OUTFILE"):
            raise _refused("INTO OUTFILE writes a file of the server.")
        if before.is_word("FROM") and token.is_word("INFILE"):
            raise _refused("FROM INFILE reads a file of the server.")
    _check_names(found, is_writer=is_writer, vocabulary=vocabulary)
    for before, token, after in zip(found, found[1:], found[2:], strict=False):
        if (
            before.text == "ENGINE"
            and token.kind == "="
            and is_refused_engine(after.text, is_writer=is_writer)
        ):
            raise _refused_engine()
        if not is_writer and before.is_name and before.text == _SYSTEM and token.kind == ".":
            _check_system_table(after.text)
    if not has_only_plain_values(found):
        raise _refused("The table function values takes a text of names and types, or rows.")
    _check_settings(found, is_writer=is_writer, vocabulary=vocabulary)


def check_tree(text: str, tree: str, *, is_writer: bool, vocabulary: Vocabulary) -> Statement:
    """Returns the statement that `text` is, by the engine's tree of it; StoreError if it may not run."""
    kind = tree.split("\n", 1)[0].split(" ", 1)[0]
    if kind not in (WRITER_KINDS if is_writer else READER_KINDS):
        if kind in WRITER_KINDS:
            raise StoreError.refused(READONLY, "Cannot execute query in readonly mode.")
        raise _refused("This kind of statement is refused.")
    found = list(tokens(text))
    if kind == "SYSTEM" and not (len(found) > 1 and found[1].text.upper() in _SYSTEM_VERBS):
        raise _refused("This SYSTEM statement is refused.")
    if not is_writer and kind == "CreateQuery" and not any(t.is_word("TEMPORARY") for t in found[1:4]):
        raise StoreError.refused(READONLY, "Cannot execute query in readonly mode.")
    parts = list(nodes(tree))
    _check_nodes(parts, kind, is_writer=is_writer, vocabulary=vocabulary)
    _check_unseen(found, parts, vocabulary)
    return Statement(text=text, kind=kind, format=_format_of(found, kind))


def check_parameters(parameters: Iterable[str], *, is_writer: bool, vocabulary: Vocabulary) -> None:
    """Raises StoreError where a value, taken for a name, would be one that `check_text` refuses."""
    for value in parameters:
        if "\\" in value or vocabulary.is_refused_call(value.strip(), is_writer=is_writer):
            raise _refused("A parameter reaches outside the store.")


def with_flat_names(text: str) -> str:
    """Returns canonical `text` without line ends in its names, which the printed tree would not mark."""
    pieces, at = [], 0
    for token in tokens(text):
        if token.kind == "quoted" and "\\" in text[token.start : token.end]:
            pieces += [text[at : token.start], _LINE_END.sub(r"\1_", text[token.start : token.end])]
            at = token.end
    return "".join([*pieces, text[at:]])


def check_database(name: str, *, is_writer: bool) -> None:
    """Raises StoreError where tables would be named without their database and yet be those of `system`."""
    if name == _SYSTEM and not is_writer:
        raise _refused("system cannot be the current database of a reader; write system.tables and so on.")


def _check_names(found: Sequence[Token], *, is_writer: bool, vocabulary: Vocabulary) -> None:
    for before, token, after in zip([None, *found], found, [*found[1:], None], strict=False):
        if not token.is_name:
            continue
        if after is not None and after.kind == "(":
            is_refused = vocabulary.is_refused_call(token.text, is_writer=is_writer)
        else:
            # A part of a longer name is no function.
            is_part = "." in (before.kind if before else "", after.kind if after else "")
            is_refused = not is_part and vocabulary.is_refused_name(token.text, is_writer=is_writer)
        if is_refused:
            raise _refused(
                f"The name {token.text.lower()} reaches outside the store and is refused in a query."
            )
        if not is_writer and token.kind == "quoted" and token.text.startswith(f"{_SYSTEM}."):
            _check_system_table(token.text.partition(".")[2])


def _check_settings(found: Sequence[Token], *, is_writer: bool, vocabulary: Vocabulary) -> None:
    # Past the first SETTINGS every name of an engine setting counts, wherever it stands. Keywords of
    # canonical text are upper case.
    start = next(
        (at for at, t in enumerate(found) if t.text == "SETTINGS" or (at, t.text) == (0, "SET")), None
    )
    if start is None:
        return
    for token in found[start + 1 :]:
        is_setting = token.is_name and (token.text in vocabulary.settings or token.text == "profile")
        if is_setting and not is_allowed_setting(token.text, is_writer=is_writer):
            raise _refused(f"The setting {token.text} cannot be given here.")


def _check_nodes(found: Iterable[Node], kind: str, *, is_writer: bool, vocabulary: Vocabulary) -> None:
    storage: Node | None = None
    for node in found:
        if node.kind == "Function" and node.parent_kind == "Storage definition" and node.above is not storage:
            # The first is the engine; those of PARTITION BY and ORDER BY stand beside it.
            storage = node.above
            _check_engine(node, is_writer=is_writer)
        elif node.kind == "Function":
            _check_function(node, is_writer=is_writer, vocabulary=vocabulary)
        elif node.kind == "Dictionary definition":
            raise _refused("Dictionaries are refused.")
        elif node.kind == "Identifier" and vocabulary.is_refused_name(node.name, is_writer=is_writer):
            raise _refused("A name reaches outside the store.")
        if not is_writer:
            _check_readers_part(node, kind)


def _check_unseen(found: Sequence[Token], parts: Iterable[Node], vocabulary: Vocabulary) -> None:
    """Refuses calls that the tree leaves out: they may be of a function or of a table function."""
    called = Counter(
        token.text.lower() for token, after in _pairs(found) if after.kind == "(" and token.is_name
    )
    seen = Counter(node.name.lower() for node in parts if node.kind == "Function")
    if any(count > seen[name] for name, count in called.items() if vocabulary.is_ambiguous(name)):
        raise _refused("A table function that takes a structure may stand here, and is refused.")


def _check_engine(node: Node, *, is_writer: bool) -> None:
    if is_refused_engine(node.name, is_writer=is_writer):
        raise _refused_engine()


def _check_function(node: Node, *, is_writer: bool, vocabulary: Vocabulary) -> None:
    if node.parent_kind == "InsertQuery":
        raise _refused("INSERT INTO FUNCTION is refused.")
    if _is_table(node, vocabulary):
        if vocabulary.is_refused_table_function(node.name, is_writer=is_writer):
            raise _refused(
                "This table function is refused; it reaches outside the store or takes a structure."
            )
    elif vocabulary.is_refused_call(node.name, is_writer=is_writer):
        raise _refused("This function reaches outside the store.")


def _check_readers_part(node: Node, kind: str) -> None:
    if node.kind not in READER_PARTS and node.kind not in READER_KINDS:
        raise _refused("The statement has a part that no reader may use.")
    if node.kind in ("Identifier", "TableIdentifier") and node.name.startswith(f"{_SYSTEM}."):
        _check_system_table(node.name.split(".")[1])
    if kind == "UseQuery" and node.kind == "Identifier":
        check_database(node.name, is_writer=False)


def _is_table(node: Node, vocabulary: Vocabulary) -> bool:
    """Returns whether a function stands where a table does: FROM, DESCRIBE, CREATE ... AS, right of IN."""
    if node.parent_kind in ("TableExpression", "CreateQuery"):
        return True
    over = node.above.above if node.above else None
    is_operand = over is not None and over.kind == "Function" and over.name.lower() in _IN
    return is_operand and vocabulary.is_table_function(node.name)


def _check_system_table(name: str) -> None:
    if is_hidden_system_table(name):
        raise _refused("This table of system is not for readers: it shows what others do.")


def _format_of(found: Sequence[Token], kind: str) -> str:
    if kind == "InsertQuery":
        return ""
    depth = 0
    for before, token in _pairs(found):
        depth += (before.kind == "(") - (before.kind == ")")
        if depth == 0 and before.kind == "word" and before.text == "FORMAT" and token.kind == "word":
            return token.text
    return ""


def _pairs(found: Sequence[Token]) -> list[tuple[Token, Token]]:
    return list(itertools.pairwise(found))


def _refused_engine() -> StoreError:
    return _refused("This table or database engine is refused.")


def _refused(sentence: str) -> StoreError:
    return StoreError.refused(ACCESS_DENIED, sentence)
