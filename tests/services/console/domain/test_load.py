"""Load over time: what runs, what waits, and how full caches are."""

from services.console.domain.load import Load, Loads

FOUND = Loads((Load("idle", 60, 0.0, 0, 0.0), Load("f3", 60, 2.5, 4, 0.75)))


def test_the_model_with_the_most_running_comes_first() -> None:
    assert FOUND.names == ("f3", "idle")


def test_queue_and_cache_are_drawn() -> None:
    running, waiting, *_ = FOUND.queue((60,)).lines
    assert (running.values, waiting.values) == ((2.5,), (4,))
    assert FOUND.kv((60,)).lines[0].values == (0.75,)
    assert FOUND.kv((60,)).unit == "share"
