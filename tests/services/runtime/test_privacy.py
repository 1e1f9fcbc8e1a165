"""A process whose memory nobody dumps and whose files nobody else reads."""

import json
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import ctypes, json, pathlib, resource, subprocess, sys
from services.runtime.privacy import keep_private
resource.setrlimit(resource.RLIMIT_CORE, (4096, 4096))
keep_private()
folder = pathlib.Path(sys.argv[1])
(folder / "file").write_text("")
(folder / "below").mkdir()
child = subprocess.run(["sh", "-c", "ulimit -H -c"], capture_output=True, text=True, check=True)
print(json.dumps({
    "core_limit": resource.getrlimit(resource.RLIMIT_CORE),
    "core_limit_of_children": child.stdout.strip(),
    "is_dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
    "file": oct((folder / "file").stat().st_mode & 0o777),
    "folder": oct((folder / "below").stat().st_mode & 0o777),
}))
"""


def test_a_process_that_keeps_private_leaves_no_core_and_no_open_file(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path)]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout)
    assert said == {
        "core_limit": [0, 0],
        "core_limit_of_children": "0",
        "is_dumpable": 0,
        "file": "0o600",
        "folder": "0o700",
    }
