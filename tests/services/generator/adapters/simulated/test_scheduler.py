from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from services.generator.adapters.simulated.scheduler import Job, Limits, Scheduler
from tests.services.generator.adapters.simulated.arrivals import random_trace
from tests.services.generator.adapters.simulated.lived_trace import lived

LIMITS = Limits(kv_blocks=8, block_tokens=4, running_requests=4, batched_tokens=16)


def job(arrival: int, tokens: int, priority: int = 0) -> Job:
    """Returns a request whose content nobody shares."""
    chain = [hash((arrival, index)) for index in range(tokens // LIMITS.block_tokens)]
    tail = [0] * (tokens % LIMITS.block_tokens)
    return Job(priority, tokens, arrival, chain, tail, arrival)


def test_a_long_prompt_is_computed_in_parts_beside_answers() -> None:
    scheduler = Scheduler[Job](LIMITS)
    short, long = job(1, 4), job(2, 24)
    scheduler.add(short)
    scheduler.add(long)
    assert scheduler.schedule() == {short: 4, long: 12}
    short.append(7, LIMITS.block_tokens)
    assert scheduler.schedule() == {short: 1, long: 12}


def test_without_chunks_a_prompt_waits_for_a_step_that_holds_it() -> None:
    scheduler = Scheduler[Job](Limits(8, 4, 4, 16, is_prefill_chunked=False))
    first, second = job(1, 8), job(2, 12)
    scheduler.add(first)
    scheduler.add(second)
    assert scheduler.schedule() == {first: 8}
    assert scheduler.schedule() == {second: 12}


def test_who_came_last_of_the_lowest_class_gives_its_blocks_and_is_computed_again() -> None:
    scheduler = Scheduler[Job](LIMITS)
    batch, interactive = job(1, 16, priority=20), job(2, 12)
    scheduler.add(interactive)
    scheduler.add(batch)
    while not (scheduler.preempted_total or batch.tokens > 100):
        for one in scheduler.schedule():
            if one.computed_tokens == one.tokens:
                one.append(0, LIMITS.block_tokens)
    assert (interactive.preemptions, batch.preemptions) == (0, 1)
    assert (batch.blocks, batch.computed_tokens, list(scheduler.waiting)) == ([], 0, [batch])
    scheduler.remove(interactive)
    # What it had is found: of what it is given again, little is computed.
    assert scheduler.schedule()[batch] < batch.tokens


def test_a_request_that_is_held_keeps_its_blocks_and_is_given_nothing() -> None:
    scheduler = Scheduler[Job](LIMITS)
    held = job(1, 6)
    scheduler.add(held)
    scheduler.schedule()
    held.is_held = True
    held.append(0, LIMITS.block_tokens)
    assert scheduler.schedule() == {}
    assert len(held.blocks) == 2


@settings(max_examples=150)
@given(st.integers(0, 2**32))
def test_every_request_gets_all_its_tokens_within_the_limits(seed: int) -> None:
    trace = random_trace(seed)
    story = lived(trace)
    made = Counter[str]()
    for step in story["steps"]:
        assert sum(step["tokens"].values()) <= trace.batched_tokens
        assert len(step["tokens"]) <= trace.running_requests
        assert 0 <= step["free"] <= trace.kv_blocks
        made.update(step["tokens"])
    for arrival in trace.arrivals:
        if arrival.abort_step is None:
            computed = made[str(arrival.number)] + story["cached"][str(arrival.number)]
            assert computed >= len(arrival.ids) + arrival.output_tokens - 1
