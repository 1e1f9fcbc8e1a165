"""Probes are answered by the loop, and by nobody in its place."""

import asyncio
import threading

import pytest

from services.runtime import probes
from services.runtime.probes import Probes


async def test_a_loop_that_turns_is_alive() -> None:
    told = Probes()
    told.watch(asyncio.get_running_loop())
    assert await asyncio.to_thread(told.is_alive)


async def test_a_loop_that_stands_still_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_LOOP_SECONDS", 0.2)
    told = Probes()
    told.watch(asyncio.get_running_loop())
    found: list[bool] = []
    asking = threading.Thread(target=lambda: found.append(told.is_alive()))
    asking.start()
    asking.join()
    assert found == [False]


def test_nothing_lives_before_its_loop_nor_behind_it() -> None:
    told = Probes()
    assert not told.is_alive()
    loop = asyncio.new_event_loop()
    told.watch(loop)
    loop.close()
    assert not told.is_alive()


def test_a_process_is_starting_until_it_says_otherwise() -> None:
    told = Probes()
    assert told.why_unready() == "STARTING"
    told.ready_by(lambda: "")
    assert told.why_unready() == ""
