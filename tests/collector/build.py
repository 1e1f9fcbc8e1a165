"""Builds OpenTelemetry's Collector from its Go modules, once on a machine, with what our configurations name.

`python -m tests.collector.build` says where it is: three and a half minutes of processor time, once.
"""

import re
import sys
from pathlib import Path
from typing import Final

from tests import go_program

_HERE: Final = Path(__file__).parent


def version() -> str:
    """Returns the version of the collector, as its releases and its images have it."""
    found = re.search(r"go\.opentelemetry\.io/collector/otelcol v(\S+)", (_HERE / "go.mod").read_text())
    assert found is not None
    return found[1]


def built() -> Path:
    """Returns the program; of several that call it at once, one builds it and the others wait."""
    return go_program.built("otelcol", _HERE, linker_flags=f"-s -w -X main.version={version()}")


if __name__ == "__main__":
    sys.stdout.write(f"{built()}\n")
