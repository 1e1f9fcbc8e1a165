"""An engine that dies says in the log what and where it was, and not a word of what its requests hold."""

import asyncio
import json
import multiprocessing
import multiprocessing.process
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from services.generator.adapters.engines import engine_from
from services.generator.domain.engine_parameters import ServedModel, VllmParameters
from services.generator.domain.ports import Engine, EngineFailedError
from services.generator.domain.sampling import Sampling
from services.kernel.clock import SystemClock
from services.runtime.settings import SettingsError
from tests.contracts.engine_requests import answer, ask, chat, until
from tests.services.generator.adapters.vllm.test_engine import MODEL

SERVED = ServedModel(256, str(MODEL))

CANARY = "kanarienvogel-7f3a"

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def fail_on_a_canary(scheduler: Any, *_arguments: object) -> None:
    """Stands for a defect in a step: raises once a request with the canary's stop string is scheduled."""
    if any(request.sampling_params.stop for request in scheduler.requests.values()):
        raise ZeroDivisionError(CANARY)


@pytest.fixture
def said(tmp_path: Path) -> Path:
    return tmp_path / "said"


@contextmanager
def standard_error_in(file: Path) -> Iterator[None]:
    """A process that is forked meanwhile keeps it; pytest's own capture changes only this one's."""
    before, opened = os.dup(2), os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(opened, 2)
    try:
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(opened)


@dataclass(frozen=True)
class Forked:
    """An engine and the process that it forked: engines of other tests may run beside it."""

    engine: Engine
    core: multiprocessing.process.BaseProcess


@pytest_asyncio.fixture
async def forked(monkeypatch: pytest.MonkeyPatch, said: Path) -> AsyncIterator[Forked]:
    """An engine of its own, in a forked process that has the defect and writes to `said`."""
    others = multiprocessing.active_children()
    engine = engine_from(SERVED, VllmParameters(kv_cache_memory_bytes=2**20), SystemClock())
    from vllm.v1.core.sched.scheduler import Scheduler  # noqa: PLC0415 - after its environment

    whole = Scheduler.schedule

    def schedule(scheduler: Any, *arguments: Any, **named: Any) -> Any:
        fail_on_a_canary(scheduler)
        return whole(scheduler, *arguments, **named)

    monkeypatch.setattr(Scheduler, "schedule", schedule)
    with standard_error_in(said):
        await engine.start()
    (core,) = (child for child in multiprocessing.active_children() if child not in others)
    yield Forked(engine, core)
    await asyncio.to_thread(engine.shutdown)


def text_of(file: Path) -> str:
    return file.read_text()


def failures_in(written: str, error_type: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("error_type") == error_type]


async def dies(engine: Engine, stop: str) -> None:
    asked = ask(
        engine, await chat(engine, CANARY), tokens=200, sampling=Sampling(temperature=2.0, stop=(stop,))
    )
    with pytest.raises(EngineFailedError):
        await answer(asked)
    with pytest.raises(EngineFailedError):
        await engine.check_health()


async def test_a_defect_in_a_step_is_logged_as_a_type_and_its_places(forked: Forked, said: Path) -> None:
    engine = forked.engine
    assert (await answer(ask(engine, await chat(engine), tokens=2))).output_tokens
    await dies(engine, CANARY)
    await until(lambda: bool(failures_in(text_of(said), "ZeroDivisionError")), 20)
    # Mostly it has ended then and so said all that it says. Forked by a process whose other tests left
    # threads, it may hang in its exit; the product forks before it has any.
    await asyncio.to_thread(forked.core.join, 5)
    written = text_of(said)
    (line,) = failures_in(written, "ZeroDivisionError")
    assert line["places"][0].endswith(" fail_on_a_canary")
    assert any(place.startswith("vllm.v1.engine.core:") for place in line["places"])
    assert CANARY not in written


async def test_a_killed_engine_is_noticed_and_where_is_logged(
    forked: Forked, capfd: pytest.CaptureFixture[str]
) -> None:
    engine, core = forked.engine, forked.core
    # The first request asks the process what it can do.
    assert (await answer(ask(engine, await chat(engine), tokens=1))).output_tokens
    assert core.pid is not None
    # A process that goes on could end its answer before it is killed.
    os.kill(core.pid, signal.SIGSTOP)
    running = asyncio.create_task(answer(ask(engine, await chat(engine), tokens=200)))
    await until(lambda: engine.unfinished_requests() == 1, 10)
    os.kill(core.pid, signal.SIGKILL)
    with pytest.raises(EngineFailedError):
        await running
    with pytest.raises(EngineFailedError):
        await engine.check_health()
    dead = failures_in(capfd.readouterr().err, "EngineDeadError")
    assert dead[0]["places"][0].startswith("vllm.v1.engine.")


async def test_on_a_gpu_too_an_engine_is_a_copy_that_ends_with_the_process_and_is_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = multiprocessing.active_children()
    parameters = VllmParameters(kv_cache_memory_bytes=2**20, is_eager=True)
    engine = engine_from(SERVED, parameters, SystemClock())
    monkeypatch.setattr(
        "services.generator.adapters.vllm.engine.current_platform",
        SimpleNamespace(is_cpu=lambda: False, is_cuda_alike=lambda: False),
    )
    await engine.start()
    (core,) = (child for child in multiprocessing.active_children() if child not in others)
    await asyncio.to_thread(engine.shutdown)
    assert isinstance(core, ForkProcess)


def test_an_engine_that_cannot_start_says_why_in_its_own_words(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(SERVED.path, folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1_000])
    engine = engine_from(replace(SERVED, path=str(folder)), VllmParameters(), SystemClock())
    with pytest.raises(SettingsError):
        asyncio.run(engine.start())
    assert "safetensors" in capfd.readouterr().err.lower()
