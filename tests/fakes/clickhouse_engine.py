"""An engine without an engine: it answers what a test tells it to and remembers what it was asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.local.clickhouse.domain.errors import StoreError
from services.local.clickhouse.domain.ports import Answer

TREES = {"SELECT": "SelectWithUnionQuery", "INSERT": "InsertQuery", "SET": "Set", "KILL": "KillQueryQuery"}


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
    """Remembers its calls; answers with `pieces`."""

    pieces: Sequence[bytes | StoreError] = (b"1\n",)
    configured: list[dict[str, str]] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    ran: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    inserted: list[tuple[str, str, bytes]] = field(default_factory=list)
    streams: list[FakeStream] = field(default_factory=list)
    is_closed: bool = False

    def configure(self, settings: Mapping[str, str], *, is_once: bool) -> None:
        self.configured.append(dict(settings))

    def use(self, database: str) -> None:
        self.used.append(database)

    def query(self, text: str, output_format: str, parameters: Mapping[str, str]) -> Answer:
        self.ran.append((text, output_format, dict(parameters)))
        stream = FakeStream(self.pieces)
        body = b"".join(iter(stream.fetch, b""))
        return Answer(body=body, result_rows=body.count(b"\n"))

    def stream(self, text: str, output_format: str, parameters: Mapping[str, str]) -> FakeStream:
        self.ran.append((text, output_format, dict(parameters)))
        self.streams.append(FakeStream(self.pieces))
        return self.streams[-1]

    def insert(self, head: str, input_format: str, pieces: Sequence[bytes]) -> Answer:
        self.inserted.append((head, input_format, b"".join(pieces)))
        return Answer(body=b"", written_rows=1)

    def close(self) -> None:
        self.is_closed = True


class FakeEngine:
    """Takes every text for canonical; `opened` are its connections with (is_writer, is_readonly)."""

    version = "26.9"
    timezone = "UTC"
    setting_names = frozenset({"dialect", "max_threads"})

    def __init__(self, pieces: Sequence[bytes | StoreError] = (b"1\n",)) -> None:
        self.pieces = pieces
        self.parsed: list[str] = []
        self.opened: list[tuple[bool, bool, FakeConnection]] = []

    def canonical(self, text: str) -> str:
        self.parsed.append(text)
        if ";" in text:
            raise StoreError.of_engine("Code: 62. DB::Exception: Syntax error. (SYNTAX_ERROR)")
        return text

    def tree(self, canonical_text: str, parameters: Mapping[str, str]) -> str:
        return TREES.get(canonical_text.split(maxsplit=1)[0].upper(), "")

    def connect(self, *, is_writer: bool, is_readonly: bool) -> FakeConnection:
        connection = FakeConnection(self.pieces)
        self.opened.append((is_writer, is_readonly, connection))
        return connection

    def close(self) -> None:
        """Nothing to close."""
