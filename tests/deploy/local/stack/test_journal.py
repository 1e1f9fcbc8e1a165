"""The supervisor's own log."""

import json
from pathlib import Path

import pytest

from deploy.local.stack.journal import Journal, iso
from services.kernel.clock import ManualClock
from services.runtime.log_lines import readable_line


def test_lines_are_appended_with_their_time_and_people_can_read_them(tmp_path: Path) -> None:
    path = tmp_path / "supervisor.log"
    for cause in ("was killed by signal 9", "ended with status 1"):
        Journal(path, ManualClock()).write(
            "process_restarting", level="warning", service="edge", restarts=1, cause=cause
        )
    lines = path.read_text().splitlines()
    assert [json.loads(line)["cause"] for line in lines] == ["was killed by signal 9", "ended with status 1"]
    said = readable_line(lines[0])
    assert said.endswith("warning process_restarting cause=was killed by signal 9 restarts=1 service=edge")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_full_disk_loses_a_line_and_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: Path) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr("deploy.local.stack.journal.open_log", full)
    Journal(tmp_path / "supervisor.log", ManualClock()).write("process_ready", service="edge")


def test_times_are_utc_with_seconds() -> None:
    assert iso(ManualClock(wall_microseconds=1_790_000_000_900_000)) == "2026-09-21T14:13:20Z"
