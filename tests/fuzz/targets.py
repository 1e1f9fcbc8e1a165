"""What is fuzzed: a module with a `check` for each, what it covers, and how long an input may be."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Target:
    """One `check`, which raises where a property does not hold for some bytes."""

    name: str
    covers: tuple[str, ...]
    max_bytes: int
    # Has a folder for each target.
    corpora: Path = FOLDER / "corpus"

    @property
    def corpus(self) -> Path:
        """Its seeds, and every input that has ever shown a fault."""
        return self.corpora / self.name

    def words(self) -> tuple[str, ...]:
        """Returns the words that inputs are made of, beside what coverage finds."""
        words: tuple[str, ...] = importlib.import_module(f"tests.fuzz.{self.name}").WORDS
        return words


def check_of(name: str) -> Callable[[bytes], None]:
    """Returns the check of a target; importing it is what instruments the code that it covers."""
    check: Callable[[bytes], None] = importlib.import_module(f"tests.fuzz.{name}").check
    return check


TARGETS: Final = MappingProxyType(
    {
        target.name: target
        for target in (
            Target("request_bodies", ("services.edge", "services.kernel"), 64 * 1024),
            Target("answers", ("services.edge.domain.openai",), 16 * 1024),
            Target("http_connections", ("services.runtime.http",), 64 * 1024),
        )
    }
)
