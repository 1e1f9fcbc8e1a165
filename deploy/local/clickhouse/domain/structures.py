"""The structure text of the table function `values`: names and types, and nothing that is evaluated."""

from collections.abc import Iterator, Sequence

from deploy.local.clickhouse.domain.canonical import Token, tokens

_OPEN, _CLOSE = "(", ")"


def has_only_plain_values(found: Sequence[Token]) -> bool:
    """Returns whether every call of `values` begins with rows, or with a text of names and types only.

    A structure may hold DEFAULT and ALIAS expressions, which no other check would see, and an expression in
    its place may make such a text.
    """
    return all(_is_plain(first, after) for first, after in _first_arguments(found))


def _first_arguments(found: Sequence[Token]) -> Iterator[tuple[Token, Token]]:
    for name, bracket, first, after in zip(found, found[1:], found[2:], found[3:], strict=False):
        if name.is_name and name.text.lower() == "values" and bracket.kind == _OPEN:
            yield first, after


def _is_plain(first: Token, after: Token) -> bool:
    if first.kind == "string":
        # Anything else behind it, such as `||`, makes another text of it.
        return after.kind in (",", _CLOSE) and is_plain_structure(first.text)
    is_number = first.kind == "word" and first.text[0].isdigit()
    return is_number or first.kind in (_OPEN, "-")


def is_plain_structure(text: str) -> bool:
    """Returns whether `text` is a list of `name Type`; a type is a word and perhaps brackets after it."""
    columns: list[list[Token]] = [[]]
    depth = 0
    for token in tokens(text):
        depth += (token.kind == _OPEN) - (token.kind == _CLOSE)
        if token.kind == "," and depth == 0:
            columns.append([])
        else:
            columns[-1].append(token)
    return depth == 0 and all(_is_column(column) for column in columns)


def _is_column(column: Sequence[Token]) -> bool:
    if len(column) < 2 or not column[0].is_name or column[1].kind != "word":  # noqa: PLR2004 - name and type
        return False
    rest = column[2:]
    if not rest:
        return True
    return rest[0].kind == _OPEN and rest[-1].kind == _CLOSE and _closes_at_the_end(rest)


def _closes_at_the_end(brackets: Sequence[Token]) -> bool:
    depth = 0
    for token in brackets[:-1]:
        depth += (token.kind == _OPEN) - (token.kind == _CLOSE)
        if depth == 0:
            return False
    return True
