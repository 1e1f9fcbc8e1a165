import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.clickhouse.domain.inserts import split_insert


@pytest.mark.parametrize(
    ("body", "statement", "data"),
    [
        (b"INSERT INTO t FORMAT CSV\n1,2", "INSERT INTO t FORMAT CSV", b"1,2"),
        (b"INSERT INTO t FORMAT CSV 1,2", "INSERT INTO t FORMAT CSV", b"1,2"),
        (b"INSERT INTO t FORMAT CSV  \t\r\n 1", "INSERT INTO t FORMAT CSV", b" 1"),
        (b"INSERT INTO t FORMAT CSV\n\n1", "INSERT INTO t FORMAT CSV", b"\n1"),
        (b"insert into t (a, b) values (1, 2)", "insert into t (a, b) FORMAT Values", b" (1, 2)"),
        (b"INSERT INTO `FORMAT x` FORMAT TSV\n", "INSERT INTO `FORMAT x` FORMAT TSV", b""),
        (
            b"INSERT INTO t SETTINGS a = 'VALUES' FORMAT TSV\n1",
            "INSERT INTO t SETTINGS a = 'VALUES' FORMAT TSV",
            b"1",
        ),
        (
            b"-- why\nINSERT /* FORMAT x */ INTO t FORMAT TSV\n1",
            "-- why\nINSERT /* FORMAT x */ INTO t FORMAT TSV",
            b"1",
        ),
        ("INSERT INTO `é` FORMAT TSV\n1".encode(), "INSERT INTO `é` FORMAT TSV", b"1"),
    ],
)
def test_statement_and_data_part_where_a_server_parts_them(body: bytes, statement: str, data: bytes) -> None:
    split = split_insert(body)
    assert split is not None
    assert (split.statement, split.data) == (statement, data)


@pytest.mark.parametrize(
    "body",
    [
        b"SELECT 1 FORMAT CSV\n1",
        b"INSERT INTO t SELECT 1 FORMAT CSV",
        b"INSERT INTO t WITH 1 AS a SELECT a",
        b"INSERT INTO t FROM INFILE 'x' FORMAT CSV",
        b"INSERT INTO t",
        b"INSERTED FORMAT CSV\n",
        b"",
        b"\xff\xfe",
        b"INSERT INTO `\xff` FORMAT CSV\n1",
    ],
)
def test_what_carries_no_data_is_left_whole(body: bytes) -> None:
    assert split_insert(body) is None


@given(st.binary())
def test_data_of_every_kind_passes_unchanged(data: bytes) -> None:
    split = split_insert(b"INSERT INTO comptoir.t (a, b) FORMAT RowBinary\n" + data)
    assert split is not None
    assert (split.format, split.data) == ("RowBinary", data)


@given(st.binary())
def test_no_body_breaks_the_split(body: bytes) -> None:
    split = split_insert(b"INSERT " + body)
    assert split is None or body.endswith(split.data)
