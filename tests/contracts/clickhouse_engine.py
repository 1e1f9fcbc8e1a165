"""What every engine behind the local store promises; a test module gives two fixtures and inherits."""

import re
import struct
from collections.abc import Iterator

import pytest

from deploy.local.clickhouse.domain.errors import ACCESS_DENIED, READONLY, SYNTAX_ERROR, StoreError
from deploy.local.clickhouse.domain.ports import Connection, Engine, Stream

FORMAT = "RowBinary"


def rows(*numbers: int) -> bytes:
    """The rows of a table of one UInt64, as RowBinary."""
    return struct.pack(f"<{len(numbers)}Q", *numbers)


def all_of(table: str) -> str:
    return f"SELECT a FROM {table} ORDER BY a"  # noqa: S608 - the tests' own names


def stored(connection: Connection, table: str) -> list[int]:
    answer = connection.query(all_of(table), "TSV", {})
    return [int(line) for line in answer.body.splitlines()]


def insert(connection: Connection, table: str, *pieces: bytes) -> int:
    return connection.insert(f"INSERT INTO {table} (a)", FORMAT, pieces).written_rows


def pieces_of(stream: Stream) -> Iterator[bytes]:
    return iter(stream.fetch, b"")


def refusal_of(connection: Connection, text: str) -> StoreError:
    with pytest.raises(StoreError) as refusal:
        connection.query(text, "TSV", {})
    return refusal.value


class EngineContract:
    """An heir's fixtures are `engine`, and `table`, the name of a fresh table of one UInt64 column `a`."""

    @pytest.fixture
    def writer(self, engine: Engine) -> Iterator[Connection]:
        connection = engine.connect(is_writer=True, is_readonly=False)
        yield connection
        connection.close()

    @pytest.fixture
    def reader(self, engine: Engine) -> Iterator[Connection]:
        connection = engine.connect(is_writer=False, is_readonly=True)
        yield connection
        connection.close()

    def test_it_says_what_it_is(self, engine: Engine) -> None:
        assert re.match(r"\d+\.\d+", engine.version)
        assert engine.timezone
        assert engine.vocabulary.settings >= {"dialect", "max_threads"}

    @pytest.mark.parametrize("text", ["SELECT 1", "INSERT INTO t FORMAT RowBinary"])
    def test_canonical_text_stays_as_it_is(self, engine: Engine, text: str) -> None:
        canonical = engine.canonical(text)
        assert canonical.split() == text.split()
        assert engine.canonical(canonical) == canonical

    def test_two_statements_are_none(self, engine: Engine) -> None:
        with pytest.raises(StoreError) as refusal:
            engine.canonical("SELECT 1; SELECT 2")
        assert refusal.value.code == SYNTAX_ERROR

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("SELECT 1", "SelectWithUnionQuery"),
            ("INSERT INTO t FORMAT RowBinary", "InsertQuery"),
            ("SET max_threads = 1", "Set"),
        ],
    )
    def test_a_tree_begins_with_the_kind_of_the_statement(self, engine: Engine, text: str, kind: str) -> None:
        assert engine.tree(engine.canonical(text), {}).split()[0] == kind

    def test_inserted_bytes_are_rows_for_every_connection(
        self, table: str, writer: Connection, reader: Connection
    ) -> None:
        assert stored(reader, table) == []
        assert insert(writer, table, rows(3, 2**64 - 1)) == 2
        assert insert(writer, table, rows(1)) == 1
        assert stored(reader, table) == stored(writer, table) == [1, 3, 2**64 - 1]

    def test_pieces_may_be_cut_anywhere(self, table: str, writer: Connection) -> None:
        data = rows(1, 2, 3)
        assert insert(writer, table, data[:3], b"", data[3:17], data[17:]) == 3
        assert stored(writer, table) == [1, 2, 3]

    @pytest.mark.parametrize("broken", [rows(7, 8)[:-1], b"\0"])
    def test_a_failed_insert_lands_nothing(self, table: str, writer: Connection, broken: bytes) -> None:
        insert(writer, table, rows(1))
        with pytest.raises(StoreError):
            insert(writer, table, broken)
        assert stored(writer, table) == [1]
        assert insert(writer, table, rows(2)) == 1
        assert stored(writer, table) == [1, 2]

    def test_a_readonly_connection_writes_nothing(self, table: str, reader: Connection) -> None:
        with pytest.raises(StoreError) as refusal:
            insert(reader, table, rows(1))
        assert refusal.value.code in (READONLY, ACCESS_DENIED)
        create = "CREATE TABLE another (a UInt64) ENGINE = MergeTree ORDER BY a"
        assert refusal_of(reader, create).code in (READONLY, ACCESS_DENIED)
        assert stored(reader, table) == []

    def test_what_is_not_there_is_a_numbered_error(self, reader: Connection) -> None:
        assert refusal_of(reader, "SELECT a FROM nothing ORDER BY a").code == 60
        with pytest.raises(StoreError) as refusal:
            reader.use("nowhere")
        assert refusal.value.code == 81
        reader.use("comptoir")

    @pytest.mark.parametrize("value", ["", "x'y", "1; SELECT 2"])
    def test_a_parameter_is_a_value_and_never_text_of_the_statement(
        self, reader: Connection, value: str
    ) -> None:
        assert reader.query("SELECT {p:String}", "TSVRaw", {"p": value}).body == f"{value}\n".encode()

    def test_a_stream_has_the_bytes_of_the_whole_result(
        self, table: str, writer: Connection, reader: Connection
    ) -> None:
        insert(writer, table, rows(*range(100)))
        stream = reader.stream(all_of(table), "TSV", {})
        assert b"".join(pieces_of(stream)) == reader.query(all_of(table), "TSV", {}).body
        assert stream.fetch() == b""
        stream.close()

    def test_a_stream_that_nobody_reads_to_its_end_frees_its_connection(
        self, table: str, writer: Connection
    ) -> None:
        insert(writer, table, rows(1))
        writer.stream(all_of(table), "TSV", {}).close()
        assert stored(writer, table) == [1]

    def test_what_temporary_tables_hold_is_counted(self, reader: Connection) -> None:
        assert reader.temporary_bytes() == 0

    def test_settings_last_until_others_are_given(self, reader: Connection) -> None:
        before = _threads(reader)
        for given in ("3", "5"):
            reader.configure({"max_threads": given}, is_once=False)
            assert _threads(reader) == given
        reader.configure({}, is_once=False)
        assert _threads(reader) == before

    def test_a_setting_that_is_unknown_is_refused_and_changes_nothing(self, reader: Connection) -> None:
        before = _threads(reader)
        with pytest.raises(StoreError):
            reader.configure({"no_such_setting": "1"}, is_once=False)
        assert _threads(reader) == before


def _threads(connection: Connection) -> str:
    asked = "SELECT value FROM system.settings WHERE name = 'max_threads'"
    return connection.query(asked, "TSV", {}).body.decode().strip()
