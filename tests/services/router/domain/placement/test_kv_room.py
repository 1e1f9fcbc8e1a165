"""A request goes where its blocks are free, waits where they are nowhere, and is never starved or stuck."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.errors import Numbers, Reason
from services.kernel.identity import Identity
from services.router.domain.lease import Process
from services.router.domain.limits import KvRoom, PlacementPolicy, RouterLimits
from services.router.domain.placement.asking import Ask
from services.router.domain.placement.kv_room import KeptRoom, NoRoomError, has_room, needed_kv_blocks
from services.router.domain.placement.placing import place
from services.router.domain.placement.replica import Claims, Replica
from tests.fakes.router import LIMITS, ask, busy, changed_limits, replica

# 25 blocks of 16 tokens.
WAITS = replace(ask(1_000), expected_tokens=400, waits_for_room=True)


def with_free(number: int, blocks: int | None, *, running: int = 1, **said: int) -> Replica:
    usage = 0 if blocks is not None else None
    load = replace(busy(running=running, kv_free_blocks=blocks, **said), kv_usage_permille=usage)
    return replica(number, load=load)


def rules(**changes: object) -> RouterLimits:
    return changed_limits(placement=LIMITS.placement.model_copy(update=changes))


def chosen(*replicas: Replica, of: Ask = WAITS, limits: RouterLimits = LIMITS) -> int:
    return place(replicas, of, limits=limits).replica


@pytest.mark.parametrize("policy", PlacementPolicy)
def test_under_every_policy_a_request_goes_where_its_blocks_are_free(policy: PlacementPolicy) -> None:
    tight, roomy = with_free(1, 24), with_free(2, 25, running=3)
    assert chosen(tight, roomy, limits=rules(policy=policy)) == 2


def test_where_they_are_free_nowhere_it_waits_and_hears_how_many_it_needs() -> None:
    with pytest.raises(NoRoomError) as refusal:
        chosen(with_free(1, 3), with_free(2, 24))
    assert refusal.value.reason is Reason.REPLICA_OVERLOADED
    assert refusal.value.numbers == Numbers(limit=64, requested=25)
    assert refusal.value.retry_after_seconds > 0


def test_one_that_does_not_wait_goes_there_first_and_else_anywhere() -> None:
    further = replace(WAITS, waits_for_room=False)
    assert chosen(with_free(1, 24), with_free(2, 25), of=further) == 2
    assert chosen(with_free(1, 24), of=further) == 1
    assert chosen(with_free(1, 24), limits=rules(kv_room=KvRoom.PREFER)) == 1
    off = rules(kv_room=KvRoom.OFF, policy=PlacementPolicy.LEAST_WORK)
    assert chosen(with_free(1, 0), with_free(2, 64, running=3), limits=off) == 1


def test_what_was_sent_since_and_prompts_without_a_token_are_not_free() -> None:
    claimed = replace(with_free(1, 30), claims=Claims(kv_blocks=6))
    waiting = with_free(2, 30, waiting_input_tokens=6 * 16)
    for one in (claimed, waiting):
        assert not has_room(one, WAITS)
    assert has_room(with_free(3, 30, waiting_input_tokens=5 * 16), WAITS)


def test_what_running_requests_are_expected_to_grow_into_is_not_free() -> None:
    assert not has_room(with_free(1, 30, kv_growth_blocks=6), WAITS)
    assert has_room(with_free(2, 30, kv_growth_blocks=5), WAITS)
    assert has_room(with_free(3, 25), WAITS), "an older replica does not say it"
    assert chosen(with_free(1, 30, kv_growth_blocks=6), with_free(2, 26, running=3)) == 2
    assert chosen(with_free(1, 64, running=0, kv_growth_blocks=64)) == 1, "it has nothing to do"


def test_a_replica_that_says_nothing_or_has_nothing_to_do_holds_nobody() -> None:
    assert chosen(with_free(1, None)) == 1
    assert chosen(replica(1, kv_blocks=0, load=busy(running=3))) == 1
    assert chosen(with_free(1, 0, running=0)) == 1, "it says that nothing runs, and nothing was sent"


def test_what_is_cached_there_is_not_needed_again() -> None:
    cached = replace(WAITS, input_tokens=300, cached_tokens={Process(1, 0): 160})
    assert needed_kv_blocks(with_free(1, 0), cached) == 15
    assert needed_kv_blocks(with_free(2, 0), cached) == 25


def test_choices_beyond_half_a_cache_wait_in_the_engine_and_empty_no_replica() -> None:
    many = replace(WAITS, choices=8, input_tokens=80, output_tokens=160, expected_tokens=80 + 8 * 160)
    many = replace(many, tokens=4_096)
    assert needed_kv_blocks(with_free(1, 0), many) == 32
    assert chosen(with_free(1, 32), of=many) == 1
    one_is_large = replace(many, expected_tokens=80 + 8 * 480, output_tokens=480)
    assert needed_kv_blocks(with_free(1, 0), one_is_large) == 35
    few = replace(many, choices=2, expected_tokens=80 + 2 * 160)
    assert needed_kv_blocks(with_free(1, 0), few) == 25


FIRST, SECOND = Identity(1, 1), Identity(1, 2)


def test_the_replica_nearest_to_room_is_left_to_the_one_whose_turn_is_first() -> None:
    room, pool = KeptRoom(), [with_free(1, 3), with_free(2, 20)]
    room.keep(7, FIRST, 5.0, replicas=pool, ask=WAITS)
    assert room.blocks(7, FIRST, 5.0) == {}
    assert room.blocks(7, SECOND, 6.0) == {2: 25}
    assert room.blocks(7, SECOND, 4.0) == {}, "its turn is sooner"
    assert room.blocks(8, SECOND, 6.0) == {}, "another model"
    small = replace(WAITS, expected_tokens=16, kept_blocks=room.blocks(7, SECOND, 6.0))
    assert chosen(*pool, of=small) == 1, "others go on where it does not wait"
    with pytest.raises(NoRoomError):
        chosen(pool[1], of=small)
    room.forget(7, SECOND)
    assert room.blocks(7, SECOND, 6.0)
    room.forget(7, FIRST)
    assert room.blocks(7, SECOND, 6.0) == {}


def test_it_stays_with_its_replica_while_that_is_there_and_a_sooner_turn_takes_over() -> None:
    room = KeptRoom()
    room.keep(7, FIRST, 5.0, replicas=[with_free(1, 3), with_free(2, 20)], ask=WAITS)
    room.keep(7, FIRST, 5.0, replicas=[with_free(1, 23), with_free(2, 4)], ask=WAITS)
    assert room.blocks(7, SECOND, 6.0) == {2: 25}
    room.keep(7, SECOND, 6.0, replicas=[with_free(1, 3)], ask=WAITS)
    assert room.blocks(7, FIRST, 6.5) == {}
    room.keep(7, FIRST, 5.0, replicas=[with_free(1, 23)], ask=WAITS)
    assert room.blocks(7, SECOND, 6.0) == {1: 25}
    room.keep(7, SECOND, 4.0, replicas=[with_free(1, 23)], ask=WAITS)
    assert room.blocks(7, FIRST, 5.0) == {1: 25}


@given(st.lists(st.integers(1, 20), min_size=1, max_size=40), st.integers(1, 3))
def test_a_large_request_has_room_however_many_small_ones_come_behind_it(
    small: list[int], pools: int
) -> None:
    """Small ones come one a step, and each replica's oldest ends: the large one waits for few of them."""
    room, large = KeptRoom(), replace(ask(64 * 16), expected_tokens=60 * 16, waits_for_room=True)
    running: dict[int, list[int]] = {number: [16, 16, 16] for number in range(1, pools + 1)}

    def pool() -> list[Replica]:
        return [with_free(one, 64 - sum(taken), running=len(taken)) for one, taken in running.items()]

    waited = 0
    for blocks in [*small, *[1] * 8]:
        try:
            place(pool(), replace(large, kept_blocks=room.blocks(1, FIRST, 0.0)), limits=LIMITS)
            break
        except NoRoomError as refusal:
            room.keep(1, FIRST, 0.0, replicas=refusal.replicas, ask=large)
        waited += 1
        kept = room.blocks(1, SECOND, 1.0)
        one = replace(ask(blocks * 16), waits_for_room=True, kept_blocks=kept)
        try:
            running[place(pool(), one, limits=LIMITS).replica].append(blocks)
        except NoRoomError:
            assert pools == 1 or kept
        for taken in running.values():
            del taken[:1]
    assert waited <= 4


@given(
    st.integers(0, 64), st.integers(0, 4), st.integers(0, 70), st.integers(0, 3_000), st.integers(1, 1_024)
)
def test_nothing_is_stuck_what_fits_an_idle_replica_whole_is_placed(
    free: int, claims: int, kept: int, waiting: int, tokens: int
) -> None:
    idle = replace(
        with_free(1, free, running=0, waiting_input_tokens=waiting), claims=Claims(kv_blocks=claims)
    )
    one = replace(ask(tokens), waits_for_room=True, kept_blocks={2: kept})
    assert place([idle], one, limits=LIMITS).replica == 1
