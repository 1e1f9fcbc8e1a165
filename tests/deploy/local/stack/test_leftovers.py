"""What a killed supervisor left is asked to drain, and killed if it does not; nobody else is touched."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.stack.leftovers import clear_leftovers
from deploy.local.stack.paths import DataPaths

_DRAINS = "import time; print('up', flush=True); time.sleep(60)"
_STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {_DRAINS}"


@contextmanager
def process(script: str, *arguments: str, is_leader: bool = True) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-I", "-S", "-c", script, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=is_leader) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"up\n"
        try:
            yield started
        finally:
            started.kill()


@pytest.mark.parametrize("script", [_DRAINS, _STUBBORN])
@pytest.mark.parametrize("name", ["", "generator-2", "embedder"])
async def test_a_process_of_this_folder_is_ended(tmp_path: Path, script: str, name: str) -> None:
    paths = DataPaths(tmp_path)
    config = paths.config_of(name) if name else paths.config
    with process(script, "--config", str(config)) as left:
        # A parent that lives would have to reap it, as the system does for orphans.
        reaping = asyncio.create_task(asyncio.to_thread(left.wait))
        await asyncio.wait_for(clear_leftovers(paths, drain_seconds=0.5), 10)
        assert await asyncio.wait_for(reaping, 10) != 0


async def test_others_are_left_alone(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    with (
        process(_DRAINS, "--config", str(tmp_path / "other" / "comptoir.yaml")) as other,
        process(_DRAINS, str(paths.config)) as reader,
        process(_DRAINS, "--config", str(paths.config), is_leader=False) as check,
    ):
        await asyncio.wait_for(clear_leftovers(paths), 10)
        assert [each.poll() for each in (other, reader, check)] == [None] * 3
