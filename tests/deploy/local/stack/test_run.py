"""One run: checked, started, told, drained, whatever happens on the way."""

import asyncio
import json
import os
import signal
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from deploy.local.stack import run as module
from deploy.local.stack.errors import StackError
from deploy.local.stack.options import StackOptions
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.run import Observer, StackRun
from deploy.local.stack.state import StackState, is_running, read_state
from tests.deploy.local.stack.children import Folder, is_gone


class Stage:
    """A run whose processes are tiny, with all that was told."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = Folder(tmp_path)
        self.paths = DataPaths(tmp_path / "data")
        self.scripts = {"edge": "ready(); wait()", "router": "ready(); wait()"}
        self.keys: list[str | None] = []
        self.ready = asyncio.Event()
        self.told_of = defaultdict[tuple[str, str], asyncio.Event](asyncio.Event)
        self.is_away = False

        async def ensure_first_key(_paths: DataPaths) -> str | None:
            return "cptr_fresh"

        monkeypatch.setattr(module, "check_ports", lambda _options: None)
        monkeypatch.setattr(module, "ensure_first_key", ensure_first_key)
        monkeypatch.setattr(
            module, "build_plan", lambda *_: [self.folder.plan(*each) for each in self.scripts.items()]
        )

    def on_step(self, name: str, _title: str, state: str) -> None:
        if self.is_away:
            raise BrokenPipeError
        self.told_of[name, state].set()

    def on_ready(self, _state: StackState, api_key: str | None) -> None:
        self.keys.append(api_key)
        self.ready.set()

    def start(self) -> "asyncio.Task[None]":
        options = StackOptions(data_dir=self.paths.root, engine="simulated", kafka="127.0.0.1:1")
        observer = Observer(self.on_step, self.on_ready)
        return asyncio.create_task(StackRun(options, {}, observer).run())

    def phase(self) -> Any:
        state = read_state(self.paths)
        assert state is not None
        return state["phase"]

    def assert_nothing_is_left(self) -> None:
        assert all(is_gone(pid) for _, pid in self.folder.notes("started"))
        assert not is_running(self.paths)


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    yield Stage(tmp_path, monkeypatch)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().remove_signal_handler(number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_drains_and_leaves_nothing(stage: Stage, number: signal.Signals) -> None:
    running = stage.start()
    await asyncio.wait_for(stage.ready.wait(), 15)
    assert is_running(stage.paths)
    assert (stage.phase(), stage.keys) == ("ready", ["cptr_fresh"])
    os.kill(os.getpid(), number)
    await asyncio.wait_for(running, 15)
    assert [name for name, _ in stage.folder.notes("drained")] == ["edge", "router"]
    assert stage.phase() == "stopped"
    stage.assert_nothing_is_left()


async def test_a_second_ctrl_c_kills_what_still_drains(stage: Stage) -> None:
    stage.scripts["edge"] = "signal.signal(signal.SIGTERM, signal.SIG_IGN); ready()\nwhile True: wait()"
    running = stage.start()
    await asyncio.wait_for(stage.ready.wait(), 15)
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(stage.told_of["edge", "draining"].wait(), 5)
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(running, 5)
    stage.assert_nothing_is_left()


async def test_a_stop_during_the_start_leaves_nothing(stage: Stage) -> None:
    stage.scripts["edge"] = "wait()"
    running = stage.start()
    await asyncio.wait_for(stage.told_of["edge", "starting"].wait(), 15)
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(running, 15)
    assert stage.keys == []
    stage.assert_nothing_is_left()


async def test_a_process_that_cannot_start_is_one_sentence_and_nothing_is_left(stage: Stage) -> None:
    stage.scripts["router"] = "print('comptoir router: make a pepper.'); sys.exit(2)"
    with pytest.raises(StackError, match="router: make a pepper"):
        await asyncio.wait_for(stage.start(), 15)
    stage.assert_nothing_is_left()


async def test_a_full_disk_and_a_terminal_that_went_away_do_not_stop_the_drain(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = stage.start()
    await asyncio.wait_for(stage.ready.wait(), 15)

    def refuse(*_: object) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(module, "write_state", refuse)
    stage.is_away = True
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(running, 15)
    assert len(stage.folder.notes("drained")) == 2
    stage.assert_nothing_is_left()


async def test_a_second_run_in_a_folder_is_refused_and_the_first_goes_on(stage: Stage) -> None:
    running = stage.start()
    await asyncio.wait_for(stage.ready.wait(), 15)
    before = json.dumps(read_state(stage.paths))
    with pytest.raises(StackError, match="already runs"):
        await asyncio.wait_for(stage.start(), 15)
    assert json.dumps(read_state(stage.paths)) == before
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 15)
