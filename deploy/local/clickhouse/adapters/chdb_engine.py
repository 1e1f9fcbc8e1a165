"""The ClickHouse engine in this process; the one door to chDB."""

import contextlib
import re
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from deploy.local.clickhouse.domain.canonical import tokens
from deploy.local.clickhouse.domain.errors import UNKNOWN_SETTING, StoreError, of_the_parser
from deploy.local.clickhouse.domain.ports import Answer
from deploy.local.clickhouse.domain.vocabulary import EngineFunction, Vocabulary

_SETTING_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*\Z")


class ChdbEngine:
    """The engine of one folder; it keeps one connection, which the statement check uses."""

    def __init__(self, folder: Path, connection_string: str, default_database: str) -> None:
        # The engine reads a config.xml of the working folder when it is first loaded: choose that folder.
        with contextlib.chdir(folder):
            import chdb  # noqa: PLC0415 - loading it starts the engine

        self._chdb: Any = chdb
        self._scratch = folder / "scratch"
        self._connection_string = connection_string
        self._default_database = default_database
        opened = self._open()
        _run(opened, f"CREATE DATABASE IF NOT EXISTS {_identifier(default_database)} ENGINE = Atomic")
        facts = _run(opened, "SELECT version(), timezone()").decode().split()
        self.version, self.timezone = facts[0], facts[1]
        self.vocabulary = _vocabulary(opened)
        # One for readers and one for the writer, whose statements must not wait for a reader's long one.
        self._parsers = {False: _Parser(opened), True: _Parser(self._open())}

    def canonical(self, text: str, *, is_writer: bool = False) -> str:
        """Returns the one statement of `text` as the engine's parser prints it."""
        # A bound parameter is read as tab-separated text, so its special signs are escaped first.
        escaped = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
        parameters = {"q": escaped.replace("\0", "\\0")}
        try:
            return self._parsers[is_writer].run("SELECT formatQuery({q:String})", parameters, "RawBLOB")
        except StoreError as error:
            raise of_the_parser(error) from None

    def tree(self, canonical_text: str, parameters: Mapping[str, str], *, is_writer: bool = False) -> str:
        """Returns the engine's syntax tree of a canonical statement."""
        return self._parsers[is_writer].run(f"EXPLAIN AST {canonical_text}", parameters, "TSVRaw")

    def connect(self, *, is_writer: bool, is_readonly: bool) -> "ChdbConnection":
        """Returns a fresh connection with the rights of the writer or of a reader."""
        opened = self._open()
        try:
            _run(opened, f"SET ROLE {'writer' if is_writer else 'reader'}")
            _run(opened, f"USE {_identifier(self._default_database)}")
            if is_readonly:
                _run(opened, "SET readonly = 2")
        except StoreError:
            opened.close()
            raise
        return ChdbConnection(opened, self._scratch)

    def close(self) -> None:
        """Closes the folder cleanly, once the connections that were given out are closed."""
        for parser in self._parsers.values():
            parser.close()

    def _open(self) -> Any:
        try:
            return self._chdb.connect(self._connection_string)
        except RuntimeError as error:
            raise StoreError.of_engine(str(error)) from None


class _Parser:
    """A connection that only parses, for one thread at a time."""

    def __init__(self, opened: Any) -> None:
        self._opened = opened
        self._lock = threading.Lock()
        _run(opened, "SET ROLE reader")
        _run(opened, "SET readonly = 2")

    def run(self, text: str, parameters: Mapping[str, str], output_format: str) -> str:
        """Returns what the engine prints."""
        with self._lock:
            return _run(self._opened, text, parameters, output_format).decode()

    def close(self) -> None:
        """Ends the connection."""
        self._opened.close()


class ChdbConnection:
    """One connection; settings given with `configure` last until the next call of it."""

    def __init__(self, opened: Any, scratch: Path) -> None:
        self._opened = opened
        self._scratch = scratch
        self._given: dict[str, str] = {}
        self._before: dict[str, str] = {}

    def configure(self, settings: Mapping[str, str], *, is_once: bool) -> None:
        """Gives exactly these settings to the statements that follow."""
        if settings == self._given:
            return
        if self._given:
            restored, self._given = {name: self._before[name] for name in self._given}, {}
            _run(self._opened, _set(restored))
        if not settings:
            # What comes next may set for the session: then these are no longer the values before.
            self._before = {}
            return
        if not is_once:
            self._before |= self._values([name for name in settings if name not in self._before])
        _run(self._opened, _set(settings))
        self._given = dict(settings)

    def use(self, database: str) -> None:
        """Makes `database` the current one."""
        _run(self._opened, f"USE {_identifier(database)}")

    def query(self, text: str, output_format: str, parameters: Mapping[str, str]) -> Answer:
        """Runs one checked statement."""
        try:
            result = self._opened.query(text, output_format, params=dict(parameters))
        except RuntimeError as error:
            raise StoreError.of_engine(str(error)) from None
        return Answer(
            body=bytes(result.bytes()),
            read_rows=result.storage_rows_read(),
            read_bytes=result.storage_bytes_read(),
            written_rows=result.rows_written(),
            written_bytes=result.bytes_written(),
            result_rows=result.rows_read(),
        )

    def stream(self, text: str, output_format: str, parameters: Mapping[str, str]) -> "ChdbStream":
        """Runs one checked statement whose pieces may be joined."""
        try:
            return ChdbStream(self._opened.send_query(text, output_format, params=dict(parameters)))
        except RuntimeError as error:
            raise StoreError.of_engine(str(error)) from None

    def insert(self, head: str, input_format: str, pieces: Sequence[bytes]) -> Answer:
        """Feeds data to a checked INSERT; all rows or none.

        Through a file: the engine's streaming insert says success where the table refused the rows (a
        constraint, too many parts, a full disk), and an acknowledged row would be lost.
        """
        with tempfile.NamedTemporaryFile(dir=self._scratch, suffix=".data") as data:
            data.writelines(pieces)
            data.flush()
            return self.query(_with_data(head, data.name, input_format), "TSV", {})

    def temporary_bytes(self) -> int:
        """Returns the memory that its temporary tables hold."""
        return int(
            # Of no rows, the sum of what may be null is null.
            _run(self._opened, "SELECT ifNull(sum(total_bytes), 0) FROM system.tables WHERE is_temporary")
        )

    def close(self) -> None:
        """Ends the connection and its temporary tables."""
        self._opened.close()

    def _values(self, names: Sequence[str]) -> dict[str, str]:
        if not names:
            return {}
        # The names are of the engine's list of settings, and quoted here.
        quoted = ", ".join(_string(name) for name in names)
        text = f"SELECT name, hex(value) FROM system.settings WHERE name IN ({quoted})"  # noqa: S608
        rows = _run(self._opened, text).decode().splitlines()
        values = {name: bytes.fromhex(value).decode() for name, value in (row.split("\t") for row in rows)}
        if len(values) < len(names):
            raise StoreError.refused(UNKNOWN_SETTING, "A setting in the URL is unknown.")
        return values


class ChdbStream:
    """A result in pieces, as the engine makes its blocks."""

    def __init__(self, result: Any) -> None:
        self._result = result

    def fetch(self) -> bytes:
        """Returns the next piece, empty at the end."""
        try:
            while True:
                piece = self._result.fetch()
                if piece is None:
                    return b""
                body = bytes(piece.bytes())
                if body:
                    return body
        except RuntimeError as error:
            raise StoreError.of_engine(str(error)) from None

    def close(self) -> None:
        """Stops the query if it still runs."""
        with contextlib.suppress(RuntimeError):
            self._result.cancel()


def _run(
    opened: Any, text: str, parameters: Mapping[str, str] | None = None, output_format: str = "TSV"
) -> bytes:
    try:
        return bytes(opened.query(text, output_format, params=dict(parameters or {})).bytes())
    except RuntimeError as error:
        raise StoreError.of_engine(str(error)) from None


def _vocabulary(opened: Any) -> Vocabulary:
    settings = _run(opened, "SELECT arrayJoin([name, alias_for]) FROM system.settings").decode().split()
    table_functions = _run(opened, "SELECT name FROM system.table_functions").decode().split()
    columns = "name, alias_to, toString(categories), toUInt8(is_aggregate)"
    rows = _run(opened, f"SELECT {columns} FROM system.functions").decode().splitlines()  # noqa: S608 - of ours
    functions = [
        EngineFunction(name, alias_of, category, is_aggregate == "1")
        for name, alias_of, category, is_aggregate in (row.split("\t") for row in rows)
    ]
    return Vocabulary.of(settings, functions, table_functions)


def _with_data(head: str, file_name: str, input_format: str) -> str:
    """Returns the INSERT with its data; `FROM INFILE` stands before SETTINGS, as canonical text spells it."""
    at = next((token.start for token in tokens(head) if token.text == "SETTINGS"), len(head))
    return f"{head[:at].rstrip()} FROM INFILE {_string(file_name)} {head[at:]} FORMAT {input_format}"


def _set(settings: Mapping[str, str]) -> str:
    if not all(_SETTING_NAME.match(name) for name in settings):
        raise ValueError("a setting name was not checked")
    return "SET " + ", ".join(f"{name} = {_string(value)}" for name, value in settings.items())


def _string(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
