"""vLLM's import without what it takes seconds for and throws away, or did at every start before this one."""

import hashlib
import importlib.abc
import importlib.machinery
import marshal
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

from services.runtime.new_file import new_file
from services.runtime.settings import environment

_SCANNER: Final = "transformers.utils.import_utils"
_SCAN: Final = "create_import_structure_from_path"
_DIGEST_BYTES: Final = 32

Scan = Callable[[Any], dict[Any, Any]]


def hasten_imports() -> None:
    """Prepares this process for vLLM's import; nothing that can be used afterwards is missing."""
    if _is_built_for_cpus() and not _compiles_for_cpus():
        # vLLM imports it, finds that it cannot compile for a CPU, and does without. None says: not installed.
        sys.modules.setdefault("triton", cast("ModuleType", None))
    if _SCANNER not in sys.modules:
        sys.meta_path.insert(0, _KeptModelTable())


def default_folder() -> Path:
    """Returns where the desktop convention puts what can be made again."""
    return Path(environment().get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "comptoir" / "generator"


def kept(scan: Scan, folder: Path) -> Scan:
    """Returns a scan of source files whose result is kept in `folder`, for as long as no file changed.

    transformers reads all its models' 1,600 files, twice in each start, to know which name is in which. Where
    nothing can be kept, or what was kept is not whole, they are read as before.
    """
    tables: dict[Path, dict[Any, Any]] = {}

    def scan_once(place: str | os.PathLike[str]) -> dict[Any, Any]:
        path = Path(place)
        root = path.parent if path.is_file() else path
        if root.name != "models":
            return scan(place)
        if root not in tables:
            tables[root] = _read_or_make(scan, root, folder)
        return tables[root]

    return scan_once


def _read_or_make(scan: Scan, root: Path, folder: Path) -> dict[Any, Any]:
    state = _state_of(root)
    file = folder / f"models-{state.hex()[:16]}"
    with suppress(OSError, ValueError, EOFError, TypeError):
        content = file.read_bytes()
        digest, table = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if digest == _digest(state, table):
            return dict(marshal.loads(table))  # noqa: S302 - our own file, and whole
    made = scan(root)
    table = marshal.dumps(made)
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # One that is not whole would stay there for ever.
        file.unlink(missing_ok=True)
        with new_file(file) as aside:
            aside.write_bytes(_digest(state, table) + table)
    return made


def _digest(state: bytes, table: bytes) -> bytes:
    return hashlib.sha256(state + table).digest()


def _state_of(root: Path) -> bytes:
    """Returns what changes with any file below `root`, and with the Python that reads them."""
    told = hashlib.sha256(f"{sys.implementation.cache_tag} {root}\n".encode())
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            status = os.stat(f"{folder}/{name}")  # noqa: PTH116 - half the time of a Path, 1,600 times
            told.update(f"{folder}/{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return told.digest()


def _is_built_for_cpus() -> bool:
    """Returns whether vLLM says so of itself, by the name or the version of its package."""
    try:
        return "cpu" in metadata.version("vllm")
    except metadata.PackageNotFoundError:
        return True


def _compiles_for_cpus() -> bool:
    spec = find_spec("triton") if sys.modules.get("triton", True) is True else None
    places = [] if spec is None else spec.submodule_search_locations or []
    return any(Path(place, "backends", "cpu").is_dir() for place in places)


class _KeptModelTable(importlib.abc.MetaPathFinder):
    """Lets the module that scans be loaded as ever, and its scan be kept; then it is in nobody's way."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Returns the module's own spec with a loader around its own, once."""
        if fullname != _SCANNER:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _KeepingLoader(spec.loader)
        return spec


class _KeepingLoader(importlib.abc.Loader):
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        scan = getattr(module, _SCAN, None)
        if scan is not None:
            setattr(module, _SCAN, kept(scan, default_folder()))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)
