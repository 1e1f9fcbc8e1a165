"""Builds a Go program of the tests from its locked modules, once on a machine for each state of its files."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from services.runtime import file_lock
from services.runtime.settings import environment

_GO: Final = Path(sys.executable).parent / "go"
# Answers of processes that run meanwhile come first.
_NICE: Final = "10"
_SECONDS: Final = 3_600


def built(name: str, sources: Path, *, linker_flags: str = "") -> Path:
    """Returns the program; of several that call it at once, one builds it and the others wait."""
    home = environment().get("XDG_CACHE_HOME") or "~/.cache"
    files = sorted([*sources.glob("*.go"), *sources.glob("go.*")])
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    folder = Path(home).expanduser() / "comptoir" / name / digest
    program = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = file_lock.acquire(folder / "lock", wait_seconds=_SECONDS)
    try:
        if not program.exists():
            _build(program, sources, linker_flags)
    finally:
        os.close(descriptor)
    return program


def _build(program: Path, sources: Path, linker_flags: str) -> None:
    with tempfile.TemporaryDirectory(dir=program.parent) as scratch:
        made = Path(scratch) / program.name
        flags = ("-mod=readonly", "-trimpath", "-ldflags", linker_flags, "-o", str(made))
        subprocess.run(
            ("nice", "-n", _NICE, str(_GO), "build", *flags, "."),  # noqa: S607 - the one on the PATH
            cwd=sources,
            env={**environment(), "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": ""},
            timeout=_SECONDS,
            check=True,
        )
        made.replace(program)
