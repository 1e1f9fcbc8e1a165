"""The Makefile can be looked at without anything being built."""

import shutil
import subprocess
import sys
from pathlib import Path

from deploy.local.stack.options import REPOSITORY


def test_a_dry_run_of_the_tests_starts_nothing(tmp_path: Path) -> None:
    started = tmp_path / "started"
    for name in ("python", "pytest"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho "$0 $@" >>{started}\n')
        program.chmod(0o755)
    make = shutil.which("make")
    assert make is not None
    done = subprocess.run(
        [make, "--dry-run", "test", f"BIN={tmp_path}", f"PYTHON={sys.executable}"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "-m tests.collector.build" in done.stdout
    assert not started.exists()
