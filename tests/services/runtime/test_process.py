"""A process starts, serves until it is stopped, drains, and exits with the status that says how it went."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from services.runtime.parts import Parts
from services.runtime.process import live
from services.runtime.settings import SettingsError

PROGRAM = """
import asyncio, gc, time
from services.runtime.process import run_process
from services.runtime.settings import MeteredSettings, SettingsError

class Settings(MeteredSettings):
    how: str = "well"

class KnownError(Exception):
    pass

class Example:
    def __init__(self, settings):
        self.how = settings.how

    async def start(self, parts):
        if self.how == "unusable":
            raise SettingsError("the address is taken.")
        if self.how == "known":
            parts.run("example", self.fail(KnownError("it could not.")))
        if self.how == "defect":
            parts.run("example", self.fail(ZeroDivisionError("a secret")))
        if self.how == "ends":
            parts.run("example", asyncio.sleep(0))
        print(type(asyncio.get_running_loop()).__module__, flush=True)

    async def fail(self, error):
        raise error

    async def drain(self):
        print("drained", gc.get_freeze_count() > 0, gc.get_threshold()[0] > 700, flush=True)

def prepare(settings):
    if settings.how == "slow":
        print("preparing", flush=True)
        time.sleep(60)

run_process("edge", Settings, Example, description="An example.", failures=(KnownError,), prepare=prepare)
"""


def start(folder: Path, how: str) -> "subprocess.Popen[str]":
    model = {"number": 1, "name": "tiny-eu", "context_tokens": 8, "max_output_tokens": 8}
    catalog = {"regions": [{"number": 1, "name": "eu-fr"}], "models": [model]}
    config = folder / "comptoir.yaml"
    config.write_text(yaml.safe_dump({"region": "eu-fr", "catalog": catalog, "edge": {"how": how}}))
    command = [sys.executable, "-c", PROGRAM, "--config", str(config)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_the_process_and_ends_it_with_0(tmp_path: Path, number: signal.Signals) -> None:
    with start(tmp_path, "well") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "uvloop\n"
        process.send_signal(number)
        assert process.communicate(timeout=30) == ("drained True True\n", "")
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("how", "status", "sentence"),
    [
        ("unusable", 2, "comptoir edge: the address is taken."),
        ("known", 1, "comptoir edge: it could not."),
        ("ends", 1, "comptoir edge: its part example ended, which should run until the stop."),
    ],
)
def test_a_failure_drains_and_is_one_sentence_and_a_status(
    tmp_path: Path, how: str, status: int, sentence: str
) -> None:
    with start(tmp_path, how) as process:
        out, err = process.communicate(timeout=30)
    assert "drained" in out
    assert (process.returncode, err.splitlines()[-1]) == (status, sentence)


def test_a_defect_drains_and_ends_with_1_and_its_text_is_not_told(tmp_path: Path) -> None:
    with start(tmp_path, "defect") as process:
        out, err = process.communicate(timeout=30)
    assert "drained" in out
    assert process.returncode == 1
    assert "part_failed" in err
    assert "ZeroDivisionError" in err
    assert "secret" not in err


def test_a_stop_while_the_process_prepares_ends_it_with_0_at_once(tmp_path: Path) -> None:
    with start(tmp_path, "slow") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "preparing\n"
        process.terminate()
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0


class Example:
    """A process that notes what it is told."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.told: list[str] = []
        self.failure = failure
        self.part: asyncio.Task[None]

    async def start(self, parts: Parts) -> None:
        self.told.append("start")
        self.part = parts.run("part", self._serve())
        if self.failure is not None:
            raise self.failure

    async def drain(self) -> None:
        assert not self.part.done()
        self.told.append("drain")

    async def _serve(self) -> None:
        await asyncio.Event().wait()


async def test_parts_run_until_the_drain_is_over() -> None:
    process, stop = Example(), asyncio.Event()
    await asyncio.wait_for(live(process, stop, on_started=stop.set), 5)
    assert process.told == ["start", "drain"]
    assert process.part.cancelled()


async def test_a_start_that_fails_half_way_is_drained_too() -> None:
    process = Example(SettingsError("no."))
    with pytest.raises(SettingsError):
        await asyncio.wait_for(live(process, asyncio.Event()), 5)
    assert process.told == ["start", "drain"]
    assert process.part.cancelled()
