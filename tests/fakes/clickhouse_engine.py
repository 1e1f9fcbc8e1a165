"""An engine without an engine: tables of one UInt64 column, or what a test lets it answer."""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from deploy.local.clickhouse.domain.errors import READONLY, UNKNOWN_SETTING, StoreError
from deploy.local.clickhouse.domain.ports import Answer
from deploy.local.clickhouse.domain.vocabulary import Vocabulary

TREES = {"SELECT": "SelectWithUnionQuery", "INSERT": "InsertQuery", "SET": "Set", "KILL": "KillQueryQuery"}
SETTINGS = {"dialect": "clickhouse", "max_threads": "2"}
_ROW_BYTES = 8


def _failed(code: int, name: str) -> StoreError:
    return StoreError.of_engine(f"Code: {code}. DB::Exception: As the engine would. ({name})")


class FakeStream:
    """Gives its pieces; a StoreError among them is raised."""

    def __init__(self, pieces: Sequence[bytes | StoreError]) -> None:
        self._pieces = list(pieces)
        self.is_closed = False

    def fetch(self) -> bytes:
        piece = self._pieces.pop(0) if self._pieces else b""
        if isinstance(piece, StoreError):
            raise piece
        return piece

    def close(self) -> None:
        self.is_closed = True


@dataclass
class FakeConnection:
    """Remembers its calls; answers from `tables`, or with `pieces` if it has any."""

    pieces: Sequence[bytes | StoreError] = ()
    tables: dict[str, list[int]] = field(default_factory=dict)
    is_readonly: bool = False
    configured: list[dict[str, str]] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    ran: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    inserted: list[tuple[str, str, bytes]] = field(default_factory=list)
    streams: list[FakeStream] = field(default_factory=list)
    is_closed: bool = False
    held_bytes: int = 0

    def configure(self, settings: Mapping[str, str], *, is_once: bool) -> None:
        if not SETTINGS.keys() >= settings.keys():
            raise _failed(UNKNOWN_SETTING, "UNKNOWN_SETTING")
        self.configured.append(dict(settings))

    def use(self, database: str) -> None:
        if database != "comptoir":
            raise _failed(81, "UNKNOWN_DATABASE")
        self.used.append(database)

    def query(self, text: str, output_format: str, parameters: Mapping[str, str]) -> Answer:
        body = b"".join(iter(self._run(text, output_format, parameters).fetch, b""))
        return Answer(body=body, result_rows=body.count(b"\n"))

    def stream(self, text: str, output_format: str, parameters: Mapping[str, str]) -> FakeStream:
        self.streams.append(self._run(text, output_format, parameters))
        return self.streams[-1]

    def insert(self, head: str, input_format: str, pieces: Sequence[bytes]) -> Answer:
        data = b"".join(pieces)
        table = self._table(head.split()[2])
        if self.is_readonly:
            raise StoreError.refused(READONLY, "Cannot execute query in readonly mode.")
        if len(data) % _ROW_BYTES:
            raise _failed(33, "CANNOT_READ_ALL_DATA")
        rows = struct.unpack(f"<{len(data) // _ROW_BYTES}Q", data)
        table.extend(rows)
        self.inserted.append((head, input_format, data))
        return Answer(body=b"", written_rows=len(rows))

    def temporary_bytes(self) -> int:
        return self.held_bytes

    def close(self) -> None:
        self.is_closed = True

    def _run(self, text: str, output_format: str, parameters: Mapping[str, str]) -> FakeStream:
        self.ran.append((text, output_format, dict(parameters)))
        return FakeStream(self.pieces or [line + b"\n" for line in self._lines(text, parameters)])

    def _lines(self, text: str, parameters: Mapping[str, str]) -> list[bytes]:
        """The result of the few statements that the engine's contract asks."""
        if text.startswith("CREATE") and self.is_readonly:
            raise StoreError.refused(READONLY, "Cannot execute query in readonly mode.")
        if found := re.fullmatch(r"SELECT a FROM (\w+) ORDER BY a", text):
            return [b"%d" % number for number in sorted(self._table(found[1]))]
        if found := re.fullmatch(r"SELECT \{(\w+):String\}", text):
            return [parameters[found[1]].encode()]
        if found := re.fullmatch(r"SELECT value FROM system\.settings WHERE name = '(\w+)'", text):
            given = self.configured[-1] if self.configured else {}
            return [{**SETTINGS, **given}[found[1]].encode()]
        raise _failed(48, "NOT_IMPLEMENTED")

    def _table(self, name: str) -> list[int]:
        if name not in self.tables:
            raise _failed(60, "UNKNOWN_TABLE")
        return self.tables[name]


class FakeEngine:
    """Takes every text for canonical; `opened` are its connections with (is_writer, is_readonly)."""

    version = "26.9"
    timezone = "UTC"
    vocabulary = Vocabulary.of(SETTINGS, (), ("numbers", "url"))

    def __init__(self, pieces: Sequence[bytes | StoreError] = (), tables: Sequence[str] = ()) -> None:
        self.pieces = pieces
        self.tables: dict[str, list[int]] = {name: [] for name in tables}
        self.parsed: list[str] = []
        self.opened: list[tuple[bool, bool, FakeConnection]] = []

    def canonical(self, text: str, *, is_writer: bool = False) -> str:
        self.parsed.append(text)
        if ";" in text:
            raise StoreError.of_engine("Code: 62. DB::Exception: Syntax error. (SYNTAX_ERROR)")
        return text

    def tree(self, canonical_text: str, parameters: Mapping[str, str], *, is_writer: bool = False) -> str:
        return TREES.get(canonical_text.split(maxsplit=1)[0].upper(), "")

    def connect(self, *, is_writer: bool, is_readonly: bool) -> FakeConnection:
        connection = FakeConnection(self.pieces, self.tables, is_readonly)
        self.opened.append((is_writer, is_readonly, connection))
        return connection

    def close(self) -> None:
        """Nothing to close."""
