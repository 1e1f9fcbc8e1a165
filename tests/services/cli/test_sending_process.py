"""Sending processes take each number once, and wait for none that died as it took one."""

import itertools
import multiprocessing
import threading

import pytest

from services.cli import sending_process
from services.cli.sending_process import _taken


def test_each_number_is_taken_once() -> None:
    counter = multiprocessing.get_context("spawn").Value("q", 0)
    one, other = _taken(counter), _taken(counter)
    assert [next(each) for _ in range(3) for each in (one, other)] == list(range(6))


def test_a_process_that_died_with_the_lock_ends_the_load_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sending_process, "_LOCK_SECONDS", 0.05)
    counter = multiprocessing.get_context("spawn").Value("q", 0)
    # The lock is of a thread, as it is of a process; this one ends without giving it back.
    dead = threading.Thread(target=counter.get_lock().acquire)
    dead.start()
    dead.join()
    assert list(itertools.islice(_taken(counter), 1)) == []
