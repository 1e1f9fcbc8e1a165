"""The two models: `tiny-eu`, the hard case that shows our own cost, and a real one, as users see it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.models.installing import install
from deploy.local.models.known import known_models
from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_MODEL
from tests.bench.beside.errors import BenchError

_MIB = 1024 * 1024
_REAL = "smollm2-135m"


@dataclass(frozen=True, slots=True)
class BenchModel:
    """A model folder, and the load that suits its speed."""

    folder: Path
    streams: tuple[int, ...]
    max_tokens: int
    lead_seconds: float
    seconds: float
    # From the end of a window until the last answer has ended, as a guess for the time that is left.
    tail_seconds: float
    kv_cache_bytes: int

    @property
    def name(self) -> str:
        """The name that requests ask for."""
        return self.folder.name


def tiny(streams: tuple[int, ...]) -> BenchModel:
    """One million parameters; in the repository."""
    return BenchModel(DEFAULT_MODEL, streams, 128, 1.5, 8.0, 1.0, 256 * _MIB)


def real(cache: Path, streams: tuple[int, ...], say: Callable[[str], None]) -> BenchModel:
    """SmolLM2-135M-Instruct, under Apache-2.0; fetched and converted on the first call."""
    model = known_models().by_name(_REAL)
    assert model is not None
    try:
        folder = install(model, cache / "models", say)
    except StackError as error:
        raise BenchError(str(error)) from None
    return BenchModel(folder, streams, 32, 2.5, 8.0, 2.0, 512 * _MIB)
