"""Builds OpenTelemetry's Collector from its Go modules, once on a machine, with what our configurations name.

`python -m tests.collector.build` says where it is: three and a half minutes of processor time, once.
"""

import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from services.runtime import file_lock
from services.runtime.settings import environment

_HERE: Final = Path(__file__).parent
_SOURCES: Final = ("go.mod", "go.sum", "main.go")
_GO: Final = Path(sys.executable).parent / "go"
_NICE: Final = "10"
_SECONDS: Final = 3_600


def version() -> str:
    """Returns the version of the collector, as its releases and its images have it."""
    found = re.search(r"go\.opentelemetry\.io/collector/otelcol v(\S+)", (_HERE / "go.mod").read_text())
    assert found is not None
    return found[1]


def built() -> Path:
    """Returns the program; of several that call it at once, one builds it and the others wait."""
    home = environment().get("XDG_CACHE_HOME") or "~/.cache"
    digest = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in _SOURCES)).hexdigest()[:16]
    folder = Path(home).expanduser() / "comptoir" / "collector" / digest
    program = folder / "otelcol"
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = file_lock.acquire(folder / "lock", wait_seconds=_SECONDS)
    try:
        if not program.exists():
            _build(program)
    finally:
        os.close(descriptor)
    return program


def _build(program: Path) -> None:
    with tempfile.TemporaryDirectory(dir=program.parent) as scratch:
        made = Path(scratch) / program.name
        flags = ("-mod=readonly", "-trimpath", "-ldflags", f"-s -w -X main.version={version()}")
        subprocess.run(
            ("nice", "-n", _NICE, str(_GO), "build", *flags, "-o", str(made), "."),  # noqa: S607 - the one on the PATH
            cwd=_HERE,
            env={**environment(), "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": ""},
            timeout=_SECONDS,
            check=True,
        )
        made.replace(program)


if __name__ == "__main__":
    sys.stdout.write(f"{built()}\n")
