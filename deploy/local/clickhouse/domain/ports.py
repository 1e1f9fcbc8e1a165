"""What the server asks of the engine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from deploy.local.clickhouse.domain.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole result: `body` in the asked format, and what the engine counted."""

    body: bytes
    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    elapsed_seconds: float = 0.0


class Stream(Protocol):
    """A result in pieces."""

    def fetch(self) -> bytes:
        """Returns the next piece, empty at the end; raises StoreError."""
        ...

    def close(self) -> None:
        """Stops the query if it still runs."""
        ...


class Connection(Protocol):
    """One connection to the engine: one thread at a time, its own settings and temporary tables."""

    def configure(self, settings: Mapping[str, str], *, is_once: bool) -> None:
        """Gives exactly these settings to the statements that follow; raises StoreError.

        `is_once` promises that the connection is closed before it is configured again.
        """
        ...

    def use(self, database: str) -> None:
        """Makes `database` the current one; raises StoreError."""
        ...

    def query(self, text: str, output_format: str, parameters: Mapping[str, str]) -> Answer:
        """Runs one checked statement; raises StoreError."""
        ...

    def stream(self, text: str, output_format: str, parameters: Mapping[str, str]) -> Stream:
        """Runs one checked statement whose pieces may be joined; raises StoreError."""
        ...

    def insert(self, head: str, input_format: str, pieces: Sequence[bytes]) -> Answer:
        """Feeds data to a checked INSERT; all rows or none; raises StoreError."""
        ...

    def temporary_bytes(self) -> int:
        """Returns the memory that its temporary tables hold; raises StoreError."""
        ...

    def close(self) -> None:
        """Ends the connection and its temporary tables."""
        ...


class Engine(Protocol):
    """The engine of one folder."""

    @property
    def version(self) -> str:
        """The engine's version."""
        ...

    @property
    def timezone(self) -> str:
        """The time zone that results are in."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """What a statement can name, from the engine's own lists."""
        ...

    def canonical(self, text: str, *, is_writer: bool = False) -> str:
        """Returns the one statement of `text` as the engine's parser prints it; raises StoreError.

        The parser gives up by bounds of depth and of steps; the writer's waits for no reader's.
        """
        ...

    def tree(self, canonical_text: str, parameters: Mapping[str, str], *, is_writer: bool = False) -> str:
        """Returns the engine's syntax tree of a canonical statement; raises StoreError."""
        ...

    def connect(self, *, is_writer: bool, is_readonly: bool) -> Connection:
        """Returns a fresh connection with the rights of the writer or of a reader."""
        ...

    def close(self) -> None:
        """Closes the folder cleanly."""
        ...
