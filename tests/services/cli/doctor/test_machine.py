"""Room on disks, and for open files."""

import pytest

from services.cli.doctor.facts import SeenFolder
from services.cli.doctor.finding import Level
from services.cli.doctor.machine import of_folder, of_open_files

GIB = 1024**3


@pytest.mark.parametrize(
    ("free", "total", "needs", "level"),
    [
        (50, 100, 1, Level.OK),
        (5, 100, 1, Level.WARN),
        (2, 100, 3, Level.FAIL),
        (0.5, 2, 0, Level.FAIL),
    ],
)
def test_a_disk_needs_room_for_what_the_settings_allow(
    free: float, total: float, needs: float, level: Level
) -> None:
    seen = SeenFolder("emitter.spool_folder", int(free * GIB), int(total * GIB), int(needs * GIB))
    finding = of_folder(seen)
    assert finding.level is level
    assert f"{free:.1f} GiB of {total:.1f} GiB" in finding.sentence


def test_an_edge_needs_a_file_for_each_connection_and_some_more() -> None:
    assert of_open_files(4608, 4096).level is Level.OK
    assert of_open_files(4607, 4096).level is Level.WARN
    assert "any number" in of_open_files(-1, 4096).sentence
