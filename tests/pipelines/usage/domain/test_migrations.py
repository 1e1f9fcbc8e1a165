import pytest

from pipelines.usage.domain.errors import SchemaError
from pipelines.usage.domain.migrations import Migration, due

ONE = Migration.read("0001_first.sql", "CREATE TABLE ${database}.a (x UInt8);\n")
TWO = Migration.read("0002_second.sql", "SELECT 2;\n")


def test_statements_end_with_a_semicolon_at_the_end_of_a_line() -> None:
    text = "-- a remark; with a semicolon\nSELECT ';', 1\n  FROM ${database}.t;\n\n  -- another\nSELECT 2;\n"
    migration = Migration.read("0001_x.sql", text)
    assert migration.statements({"database": "d"}) == ("SELECT ';', 1\n  FROM d.t", "SELECT 2")


def test_a_parameter_that_nobody_gives_is_an_error() -> None:
    with pytest.raises(KeyError):
        ONE.statements({})


@pytest.mark.parametrize("name", ["1_a.sql", "0001.sql", "0001_A.sql", "0001_a.txt"])
def test_a_file_must_be_numbered(name: str) -> None:
    with pytest.raises(SchemaError, match=r"0001_name\.sql"):
        Migration.read(name, "")


def test_what_is_not_applied_is_due_in_order() -> None:
    assert due([TWO, ONE], {}) == (ONE, TWO)
    assert due([TWO, ONE], {1: ONE.checksum}) == (TWO,)
    assert due([TWO, ONE], {1: ONE.checksum, 2: TWO.checksum}) == ()


def test_a_changed_file_is_refused() -> None:
    with pytest.raises(SchemaError, match="0001 was changed"):
        due([ONE, TWO], {1: TWO.checksum})


def test_gaps_are_refused() -> None:
    with pytest.raises(SchemaError, match="without gaps"):
        due([TWO], {})


def test_a_store_that_is_ahead_of_this_build_is_refused() -> None:
    with pytest.raises(SchemaError, match="newer"):
        due([ONE], {1: ONE.checksum, 2: TWO.checksum})
