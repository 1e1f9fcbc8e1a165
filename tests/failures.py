"""Notes which tests of a run failed, for whoever tries them again (`tests/second_try.py`)."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.guarantees import BrokenGuaranteeError


@dataclass
class Failures:
    """The tests that failed, each once, and those of them that found a guarantee broken."""

    failed: list[str] = field(default_factory=list)
    final: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "Failures":
        """Returns what a run noted; nothing where it did not come to its end."""
        try:
            return cls(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return cls()


class FailureNotes:
    """A plugin that writes a run's failures to a file when the run ends; of xdist's processes the first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found = Failures()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.failed:
            return
        if report.nodeid not in self._found.failed:
            self._found.failed.append(report.nodeid)
        is_final = "guarantee" in report.keywords or BrokenGuaranteeError.__name__ in report.longreprtext
        if is_final and report.nodeid not in self._found.final:
            self._found.final.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        self._path.write_text(json.dumps(vars(self._found)))
