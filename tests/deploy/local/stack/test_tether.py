"""A tethered command is the command itself, and is not started for a parent that is gone."""

import os
import subprocess
import sys

from deploy.local.stack import tether


def run(parent: int, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", "-S", tether.__file__, str(parent), *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )


def test_the_command_runs_with_its_arguments_and_status() -> None:
    done = run(
        os.getpid(), sys.executable, "-c", "import sys; print(sys.argv[1:]); sys.exit(5)", "a b", "--c"
    )
    assert (done.stdout, done.returncode) == ("['a b', '--c']\n", 5)


def test_a_parent_that_is_gone_has_no_command() -> None:
    done = run(1, sys.executable, "-c", "print('started')")
    assert (done.stdout, done.returncode) == ("", 1)
