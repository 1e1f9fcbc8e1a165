import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.usage.domain.columns import enum_type, integer_type, members_of, widened
from pipelines.usage.domain.errors import SchemaError

NUMBERS = st.integers(0, 32_000)
NAMES = st.dictionaries(NUMBERS, st.from_regex(r"[a-z_]{1,12}", fullmatch=True), min_size=1, max_size=40)
ENUMS = NAMES.filter(lambda names: len(set(names.values())) == len(names))


@given(ENUMS)
def test_an_enums_type_says_its_names(names: dict[int, str]) -> None:
    assert members_of(enum_type(names)) == names


def test_an_enum_is_as_narrow_as_its_numbers_allow() -> None:
    assert enum_type({1: "b", 0: "a"}) == "Enum8('a' = 0, 'b' = 1)"
    assert enum_type({127: "a"}).startswith("Enum8(")
    assert enum_type({128: "a"}).startswith("Enum16(")


@given(st.integers(0, 2**64 - 1))
def test_an_integer_is_the_narrowest_that_holds_the_most(most: int) -> None:
    bits = int(integer_type(most).removeprefix("UInt"))
    assert bits in {8, 16, 32, 64}
    assert most < 2**bits
    assert bits == 8 or most >= 2 ** (bits // 2)


@given(ENUMS, st.data())
def test_a_column_gets_the_names_that_it_lacks_and_loses_none(
    names: dict[int, str], data: st.DataObject
) -> None:
    def some() -> dict[int, str]:
        numbers = data.draw(st.sets(st.sampled_from(sorted(names)), min_size=1))
        return {number: names[number] for number in numbers}

    stored, wanted = some(), some()
    column = widened("t.c", enum_type(stored), enum_type(wanted))
    assert members_of(column) == {**stored, **wanted}
    assert widened("t.c", column, enum_type(wanted)) == column
    assert widened("t.c", column, enum_type(stored)) == column


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        ("Enum8('a' = 0, 'b' = 1)", "Enum8('a' = 0, 'c' = 1)"),
        ("Enum8('a' = 0, 'b' = 1)", "Enum8('a' = 0, 'b' = 2)"),
        ("Enum8('a' = 0, 'b' = 1, 'c' = 2)", "Enum8('a' = 0, 'c' = 1)"),
        ("UInt8", "Enum8('a' = 0)"),
        ("String", "UInt64"),
        ("LowCardinality(String)", "Enum8('a' = 0)"),
        ("DateTime64(3, 'UTC')", "UInt64"),
    ],
)
def test_a_store_that_means_something_else_is_refused_by_the_columns_name(stored: str, wanted: str) -> None:
    with pytest.raises(SchemaError, match=r"admissions\.reason"):
        widened("admissions.reason", stored, wanted)


def test_a_wider_store_stays_and_a_narrower_one_is_widened() -> None:
    assert widened("t.c", "UInt8", "UInt16") == "UInt16"
    assert widened("t.c", "UInt32", "UInt16") == "UInt32"
    assert widened("t.c", "Enum16('a' = 0, 'b' = 300)", "Enum8('a' = 0)") == "Enum16('a' = 0, 'b' = 300)"
    assert widened("t.c", "Bool", "Bool") == "Bool"
