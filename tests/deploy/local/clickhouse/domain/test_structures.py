"""Structures of the table function `values`: what is only names and types, and what hides an expression."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.clickhouse.domain.canonical import tokens
from deploy.local.clickhouse.domain.structures import has_only_plain_values, is_plain_structure

NAMES = st.from_regex(r"[a-z_][a-z0-9_]{0,8}|`[a-z ,()]{1,8}`", fullmatch=True)
TYPES = st.sampled_from(
    [
        "UInt8",
        "String",
        "Enum8('a,)' = 1, 'b' = 2)",
        "Array(Tuple(a UInt8, b String))",
        "DateTime64(3, 'UTC')",
    ]
)


@given(st.lists(st.tuples(NAMES, TYPES), min_size=1, max_size=5))
def test_names_and_types_are_plain(columns: list[tuple[str, str]]) -> None:
    assert is_plain_structure(", ".join(f"{name} {kind}" for name, kind in columns))


@given(
    st.lists(st.tuples(NAMES, TYPES), max_size=3),
    NAMES,
    TYPES,
    st.sampled_from(["DEFAULT", "ALIAS", "MATERIALIZED", "EPHEMERAL", "default", "CODEC", "TTL", "COMMENT"]),
    st.sampled_from(["file('/etc/passwd')", "1", "(1)", "x"]),
)
def test_an_expression_behind_a_type_is_never_plain(
    columns: list[tuple[str, str]], name: str, kind: str, word: str, expression: str
) -> None:
    hidden = [*(f"{one} {of}" for one, of in columns), f"{name} {kind} {word} {expression}"]
    assert not is_plain_structure(", ".join(hidden))


@pytest.mark.parametrize(
    "text", ["", "a", "a UInt8,", "a UInt8)", "(a UInt8", "a UInt8 b UInt8", "a (UInt8)"]
)
def test_what_is_no_list_of_columns_is_not_plain(text: str) -> None:
    assert not is_plain_structure(text)


@pytest.mark.parametrize(
    ("query", "is_plain"),
    [
        ("SELECT * FROM values('a UInt8, b String', (1, 'x'))", True),
        ("SELECT * FROM values((1, 'x'), (2, 'y'))", True),
        ("SELECT * FROM VALUES(1, 2)", True),
        ("SELECT * FROM values('a UInt8 DEFAULT file(\\'x\\')', (1))", False),
        ("SELECT * FROM values(concat('a UInt8 ', 'DEFAULT 1'), (1))", False),
        ("SELECT * FROM `values`({s:String}, (1))", False),
        ("SELECT * FROM values('a UInt8' || ' DEFAULT 1', (1))", False),
        ("SELECT * FROM values('a UInt8'::String, (1))", False),
        ("SELECT * FROM t WHERE a IN (SELECT * FROM values('a UInt8 ALIAS 1', 1))", False),
        ("SELECT values FROM t", True),
    ],
)
def test_every_call_in_a_statement_is_looked_at(query: str, is_plain: bool) -> None:
    assert has_only_plain_values(list(tokens(query))) is is_plain
