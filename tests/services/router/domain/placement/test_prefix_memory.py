"""What replicas had lately is remembered within a bound, by tenant, and forgotten with the process."""

import sys
import tracemalloc
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.contract.prefix import PREFIX_ENDS_BYTES
from services.router.domain.lease import Process
from services.router.domain.offers import Want
from services.router.domain.placement.asking import Ask
from services.router.domain.placement.prefix_memory import (
    ENTRY_BYTES,
    UNKNOWN_BEGINNING,
    Beginning,
    PrefixMemory,
)

ONE, TWO, RESTARTED = Process(1, 5), Process(2, 5), Process(1, 6)
MEBIBYTE = 1024 * 1024


def sent(
    memory: PrefixMemory,
    digests: list[int],
    process: Process = ONE,
    *,
    tenant: int = 1,
    model: int = 1,
    new_tokens: int = 100,
    cache_tokens: int = 0,
    now: float = 0.0,
) -> None:
    memory.note(
        Beginning(tenant, digests),
        model,
        process,
        new_tokens=new_tokens,
        cache_tokens=cache_tokens,
        now_seconds=now,
    )


def found(
    memory: PrefixMemory, digests: list[int], *, tenant: int = 1, model: int = 1, now: float = 0.0
) -> dict[Process, int]:
    return memory.cached_tokens(Beginning(tenant, digests), model, now)


def test_the_longest_beginning_that_a_process_had_counts() -> None:
    memory = PrefixMemory(MEBIBYTE)
    sent(memory, [11, 12, 13], ONE)
    sent(memory, [11, 22], TWO)
    assert found(memory, [11, 12, 99]) == {ONE: 256, TWO: 128}
    assert found(memory, [11, 12, 13]) == {ONE: 384, TWO: 128}
    assert found(memory, [99]) == {}


def test_nothing_is_known_of_a_prompt_without_digests_and_nothing_kept_without_room() -> None:
    memory = PrefixMemory(MEBIBYTE)
    sent(memory, [])
    assert (len(memory), found(memory, [])) == (0, {})
    assert UNKNOWN_BEGINNING.number == 0
    nothing = PrefixMemory(0)
    sent(nothing, [11])
    assert (len(nothing), found(nothing, [11])) == (0, {})


def test_the_next_process_of_a_replica_has_nothing() -> None:
    memory = PrefixMemory(MEBIBYTE)
    sent(memory, [11], ONE)
    sent(memory, [22], RESTARTED)
    assert found(memory, [11]) == {}
    assert found(memory, [22]) == {RESTARTED: 128}


def test_another_model_has_nothing() -> None:
    memory = PrefixMemory(MEBIBYTE)
    sent(memory, [11])
    assert found(memory, [11], model=2) == {}


def test_what_lies_further_back_than_the_cache_holds_is_gone_unless_it_was_used_again() -> None:
    memory = PrefixMemory(MEBIBYTE)
    sent(memory, [11], new_tokens=400, cache_tokens=1_000)
    sent(memory, [22], new_tokens=400, cache_tokens=1_000)
    sent(memory, [11], new_tokens=0, cache_tokens=1_000)
    sent(memory, [33], new_tokens=700, cache_tokens=1_000)
    assert found(memory, [11]) == {ONE: 128}
    sent(memory, [44], new_tokens=300, cache_tokens=1_000)
    assert [found(memory, [one]) for one in (11, 22, 33)] == [{}, {}, {ONE: 128}]


def test_lately_is_ten_minutes() -> None:
    memory = PrefixMemory(MEBIBYTE)
    sent(memory, [11], now=100.0)
    assert found(memory, [11], now=699.0) == {ONE: 128}
    assert found(memory, [11], now=700.0) == {}


def test_a_process_that_failed_has_what_it_is_sent_afterwards_alone() -> None:
    memory = PrefixMemory(MEBIBYTE)
    sent(memory, [11], ONE)
    sent(memory, [11], TWO)
    memory.forget(ONE)
    assert found(memory, [11]) == {TWO: 128}
    sent(memory, [22], ONE, new_tokens=0)
    assert (found(memory, [11]), found(memory, [22])) == ({TWO: 128}, {ONE: 128})


def test_a_few_processes_are_kept_of_a_beginning_those_that_had_it_last() -> None:
    memory = PrefixMemory(MEBIBYTE)
    for number in range(1, 8):
        sent(memory, [11], Process(number, 1))
    assert sorted(found(memory, [11])) == [Process(number, 1) for number in (4, 5, 6, 7)]


digests = st.lists(st.integers(0, 2**64 - 1), max_size=20)
streams = st.lists(st.tuples(st.integers(1, 5), digests, st.integers(1, 9)), max_size=60)


@given(streams, st.integers(0, 40))
def test_memory_is_bounded_whatever_comes(stream: list[tuple[int, list[int], int]], most: int) -> None:
    memory = PrefixMemory(most * ENTRY_BYTES)
    for tenant, said, number in stream:
        sent(memory, said, Process(number, 1), tenant=tenant)
        assert len(memory) <= most


@given(streams, digests)
def test_digests_of_a_tenant_say_nothing_of_anothers(
    stream: list[tuple[int, list[int], int]], said: list[int]
) -> None:
    memory = PrefixMemory(MEBIBYTE)
    for tenant, others, number in stream:
        sent(memory, others, Process(number, 1), tenant=tenant)
        sent(memory, said, Process(number, 1), tenant=tenant)
    assert found(memory, said, tenant=9) == {}


@given(st.integers(1, 200), st.integers(2, 50))
def test_a_tenant_with_less_than_its_share_forgets_nothing_for_others(floods: int, most: int) -> None:
    memory = PrefixMemory(most * ENTRY_BYTES)
    own = list(range(1, 1 + min(most // 2, len(PREFIX_ENDS_BYTES))))
    sent(memory, own, TWO, tenant=2)
    for number in range(floods):
        sent(memory, [1_000 * number + one for one in range(16)], ONE, tenant=1)
    assert found(memory, own, tenant=2)[TWO] == PREFIX_ENDS_BYTES[len(own) - 1] // 4


def test_what_is_printed_of_a_request_has_no_digest() -> None:
    beginning = Beginning(1, (2**63 + 77,))
    asked = Ask(1, 1, 0, 0.0, 1.0, prefix=beginning.number)
    said = repr([beginning, Want(1, 2, 3, beginning=beginning), asked])
    assert "1 digests" in said
    assert str(2**63 + 77) not in said
    assert str(beginning.number) not in said


def test_two_tenants_with_the_same_text_have_other_numbers() -> None:
    assert Beginning(1, (77,)).number != Beginning(2, (77,)).number


def test_an_entry_takes_no_more_than_is_counted_for_it() -> None:
    memory, entries = PrefixMemory(2**30), 20_000
    tracemalloc.start()
    try:
        for start in range(0, entries, 16):
            said = [2**63 + 1_000_003 * (start + one) for one in range(16)]
            for number in range(1, 5):
                sent(memory, said, Process(number, 2**62), new_tokens=2**40, now=float(start))
        taken_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(memory) == entries
    assert taken_bytes <= entries * ENTRY_BYTES


def test_a_beginning_costs_no_more_where_thousands_of_tenants_fill_the_memory() -> None:
    memory, calls = PrefixMemory(3_000 * ENTRY_BYTES), Counter[str]()
    for tenant in range(1, 2_000):
        sent(memory, [1, 2, 3][: 1 + tenant % 3], tenant=tenant)
    assert 2_900 < len(memory) <= 3_000
    sys.setprofile(lambda frame, event, argument: calls.update([event]))
    try:
        sent(memory, list(range(16)), tenant=9_000)
    finally:
        sys.setprofile(None)
    assert 2_900 < len(memory) <= 3_000
    assert calls["call"] + calls["c_call"] < 400
