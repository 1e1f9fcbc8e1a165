"""Which shared libraries programs need that are not where the image's linker looks."""

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_FOLDERS: Final = ("usr/lib/x86_64-linux-gnu", "usr/lib", "usr/lib64")
_SECONDS: Final = 120


def missing_libraries(root: Path, files: Iterable[Path]) -> dict[str, list[str]]:
    """Returns the libraries by name, with the files that need them, those beside a file left out."""
    shipped = {it.name for folder in _FOLDERS for it in (root / folder).glob("*.so*")}
    missing: dict[str, list[str]] = {}
    for file in files:
        said = _said(file)
        # Wheels bring others in a folder that they name, relative to themselves.
        brought = {it.name for folder in _run_paths(said, file) for it in folder.glob("*.so*")}
        for name in _named(said, "NEEDED"):
            if name not in shipped | brought:
                missing.setdefault(name, []).append(str(file.relative_to(root)))
    return missing


def _run_paths(said: str, file: Path) -> list[Path]:
    paths = [path for tag in ("RPATH", "RUNPATH") for value in _named(said, tag) for path in value.split(":")]
    return [Path(path.replace("$ORIGIN", str(file.parent))) for path in paths]


def _named(said: str, tag: str) -> list[str]:
    lines = [line.split(maxsplit=1) for line in said.splitlines() if line.strip().startswith(f"{tag} ")]
    return [words[1].strip() for words in lines]


def _said(file: Path) -> str:
    return subprocess.run(
        ("objdump", "-p", str(file)),  # noqa: S607 - of binutils
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=True,
    ).stdout
