"""A request goes where the most of the KV cache is free, counted in blocks and with what is on its way."""

from dataclasses import replace

from services.router.domain.placement.kv_fit import free_kv_blocks, kv_fit
from services.router.domain.placement.replica import Claims, Replica
from tests.fakes.router import ask, busy, replica


def chosen(*replicas: Replica, tokens: int = 160) -> int:
    return kv_fit(replicas, ask(tokens)).registration.replica


def test_the_one_with_the_most_free_blocks_gets_it_however_many_requests_it_has() -> None:
    roomy = replica(1, load=busy(running=3, kv_free_blocks=60))
    tight = replica(2, load=busy(running=1, kv_free_blocks=20))
    assert chosen(roomy, tight) == 1


def test_one_where_it_fits_now_comes_before_a_large_one_where_it_has_to_wait() -> None:
    large = replica(1, kv_blocks=1_000, context_tokens=10_000, load=busy(running=1, kv_free_blocks=9))
    small = replica(2, load=busy(running=1, kv_free_blocks=10))
    assert chosen(large, small) == 2


def test_what_was_sent_since_the_report_is_not_free_any_more() -> None:
    claimed = replace(replica(1, load=busy(kv_free_blocks=60)), claims=Claims(kv_blocks=50))
    assert free_kv_blocks(claimed) == 10
    assert chosen(claimed, replica(2, load=busy(running=1, kv_free_blocks=30))) == 2


def test_blocks_that_are_not_said_follow_from_the_share_or_are_unknown() -> None:
    assert free_kv_blocks(replica(1, load=busy(kv_usage_permille=500))) == 32
    assert free_kv_blocks(replica(1, kv_blocks=0, load=busy(kv_usage_permille=500))) is None
    assert chosen(replica(1, kv_blocks=0, kv_block_tokens=0, in_flight=3), replica(2)) == 2


def test_a_silent_engine_with_a_free_cache_attracts_nobody() -> None:
    silent = replica(1, load=busy(running=1, kv_free_blocks=64, age_seconds=6))
    assert chosen(silent, replica(2, load=busy(running=3, kv_free_blocks=1))) == 2


def test_equals_take_turns() -> None:
    pool = [replica(number) for number in (1, 2, 3)]
    assert [kv_fit(pool, ask(after=after)).registration.replica for after in (0, 1, 2, 3)] == [1, 2, 3, 1]
