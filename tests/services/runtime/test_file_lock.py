import os
import subprocess
import sys
from pathlib import Path

import pytest

from services.runtime import file_lock


def test_a_lock_is_held_until_its_descriptor_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not file_lock.is_held(path)
    assert not path.exists()
    descriptor = file_lock.acquire(path)
    assert file_lock.is_held(path)
    with pytest.raises(file_lock.LockedElsewhereError):
        file_lock.acquire(path)
    os.close(descriptor)
    assert not file_lock.is_held(path)
    os.close(file_lock.acquire(path))


def test_a_child_that_inherits_the_descriptor_holds_the_lock_too(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    descriptor = file_lock.acquire(path)
    script = "import sys; sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, pass_fds=(descriptor,)
    ) as child:
        os.close(descriptor)
        assert file_lock.is_held(path)
        child.kill()
    os.close(file_lock.acquire(path))


def test_one_who_waits_gets_the_lock_when_its_holder_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    script = (
        "import sys; from pathlib import Path\n"
        "from services.runtime import file_lock\n"
        "file_lock.acquire(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(file_lock.LockedElsewhereError):
            file_lock.acquire(path, wait_seconds=0.1)
        holder.kill()
        os.close(file_lock.acquire(path, wait_seconds=10))


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    os.close(file_lock.acquire(tmp_path / "lock"))
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
