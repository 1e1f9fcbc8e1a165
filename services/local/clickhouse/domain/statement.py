"""Which statements may run: decided on the engine's own canonical text and tree, never on the original.

The tree names the kind of statement, its functions and its table functions. It leaves out what
`APPLY`, `SHOW ... WHERE` and a function passed by name call, so names are also looked for in the
canonical text. A name can only be refused too often this way, never too rarely.
"""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from services.local.clickhouse.domain.canonical import Token, tokens
from services.local.clickhouse.domain.errors import ACCESS_DENIED, READONLY, StoreError
from services.local.clickhouse.domain.settings_names import is_allowed_setting

_READER_KINDS = frozenset(
    {
        "CheckGrantQuery",
        "CreateQuery",  # the reader's role can create temporary tables and nothing else
        "DescribeQuery",
        "DropQuery",  # the same
        "ExistsDatabaseQuery",
        "ExistsDictionaryQuery",
        "ExistsTableQuery",
        "ExistsViewQuery",
        "Explain",
        "InsertQuery",  # the same
        "SelectIntersectExceptQuery",
        "SelectWithUnionQuery",
        "Set",
        "ShowColumns",
        "ShowCreateDatabaseQuery",
        "ShowCreateTableQuery",
        "ShowCreateViewQuery",
        "ShowEngineQuery",
        "ShowFunctions",
        "ShowGrantsQuery",
        "ShowIndexes",
        "ShowProcesslistQuery",
        "ShowSetting",
        "ShowTables",
        "TruncateQuery",
        "UseQuery",
    }
)
_WRITER_KINDS = _READER_KINDS | {
    "AlterQuery",
    "CheckQuery",
    "DeleteQuery",
    "KillQueryQuery",
    "OptimizeQuery",
    "Rename",
    "SYSTEM",
    "UndropQuery",
    "UpdateQuery",
}
# Table functions that take no structure text: a structure can hold DEFAULT and ALIAS expressions.
_TABLE_FUNCTIONS = frozenset(
    {"generate_series", "generateseries", "merge", "numbers", "numbers_mt", "view", "zeros", "zeros_mt"}
)
_ENGINES = frozenset({"Memory", "Null", "Log", "TinyLog", "StripeLog", "Set", "Join", "Buffer", "Atomic"})
# Functions that reach outside the store and can be called by name alone, as in `arrayMap(file, ...)`.
_OUTSIDE_BY_NAME = frozenset({"file", "catboostevaluate"}) | {
    f"ai{verb}"
    for verb in ("classify", "embed", "extract", "filter", "generate", "redact", "similarity", "translate")
}
_OUTSIDE = _OUTSIDE_BY_NAME | {"disk", "eval", "executable", "filesystem", "python"}
_SYSTEM_VERBS = frozenset({"FLUSH", "START", "STOP", "SYNC", "WAIT"})


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
    def insert_head(self) -> str:
        """The text of an INSERT without its FORMAT clause, to which data is then fed."""
        for before, token in reversed(_pairs(list(tokens(self.text)))):
            if before.text == "FORMAT" and token.kind == "word":
                return self.text[: before.start].rstrip()
        return self.text


def check_text(text: str, *, is_writer: bool, engine_settings: Collection[str]) -> None:
    """Raises StoreError for canonical text that names a way out of the store; run before `EXPLAIN AST`."""
    found = list(tokens(text))
    for before, token in _pairs(found):
        if before.is_word("INTO") and token.is_word("OUTFILE"):
            raise _refused("INTO OUTFILE writes a file of the server.")
        if before.is_word("FROM") and token.is_word("INFILE"):
            raise _refused("FROM INFILE reads a file of the server.")
    for token, after in [*_pairs(found), (found[-1], found[-1])] if found else []:
        name = token.text.lower()
        if token.is_name and (name in _OUTSIDE_BY_NAME or (name in _OUTSIDE and after.kind == "(")):
            raise _refused(f"The name {name} reaches outside the store and is refused in a query.")
    for before, token, after in zip(found, found[1:], found[2:], strict=False):
        is_engine = before.text == "ENGINE" and token.kind == "="
        if is_engine and not (after.text in _ENGINES or after.text.endswith("MergeTree")):
            raise _refused("This table or database engine is refused.")
    _check_settings(found, is_writer=is_writer, engine_settings=engine_settings)


def check_parameters(text: str, parameters: Mapping[str, str]) -> None:
    """Raises StoreError where a parameter would put a name into `text` that `check_text` refuses."""
    if not parameters or "Identifier" not in text:
        return
    for value in parameters.values():
        if "\\" in value or value.strip().lower() in _OUTSIDE:
            raise _refused("A parameter reaches outside the store.")


def check_tree(text: str, tree: str, *, is_writer: bool) -> Statement:
    """The statement that `text` is, from the engine's tree of it; raises StoreError if it may not run."""
    lines = tree.splitlines()
    kind = lines[0].split(" ", 1)[0] if lines else ""
    if kind not in (_WRITER_KINDS if is_writer else _READER_KINDS):
        if kind in _WRITER_KINDS:
            raise StoreError.refused(READONLY, "Cannot execute query in readonly mode.")
        raise _refused("This kind of statement is refused.")
    found = list(tokens(text))
    if kind == "SYSTEM" and not (len(found) > 1 and found[1].text.upper() in _SYSTEM_VERBS):
        raise _refused("This SYSTEM statement is refused.")
    _check_places(lines)
    return Statement(text=text, kind=kind, format=_format_of(found, kind))


def _check_settings(found: Sequence[Token], *, is_writer: bool, engine_settings: Collection[str]) -> None:
    # Past the first SETTINGS every name of an engine setting counts, wherever it stands. Keywords of
    # canonical text are upper case.
    marks = [
        at for at, token in enumerate(found) if token.text == "SETTINGS" or (at, token.text) == (0, "SET")
    ]
    if not marks:
        return
    start = marks[0]
    for token in found[start + 1 :]:
        is_setting = token.is_name and (token.text in engine_settings or token.text == "profile")
        if is_setting and not is_allowed_setting(token.text, is_writer=is_writer):
            raise _refused(f"The setting {token.text} cannot be given here.")


def _check_places(lines: Sequence[str]) -> None:
    for at, line in enumerate(lines):
        words = line.split()
        if len(words) < 2 or words[0] != "Function":  # noqa: PLR2004 - a node and its name
            continue
        parent = _parent(lines, at)
        if parent in ("TableExpression", "InsertQuery") and words[1].lower() not in _TABLE_FUNCTIONS:
            raise _refused(
                "This table function is refused; it reaches outside the store or takes a structure."
            )
        if words[1].lower() in _OUTSIDE:
            raise _refused("This function reaches outside the store.")
    if any(line.split()[:2] == ["Dictionary", "definition"] for line in lines):
        raise _refused("Dictionaries are refused.")


def _parent(lines: Sequence[str], at: int) -> str:
    depth = _depth(lines[at])
    for line in reversed(lines[:at]):
        if _depth(line) < depth:
            return (line.split() or [""])[0]
    return ""


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


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


def _refused(sentence: str) -> StoreError:
    return StoreError.refused(ACCESS_DENIED, sentence)
