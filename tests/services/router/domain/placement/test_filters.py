"""What a replica can hold, and what is predicted of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.engine_features import EngineFeature
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.placement.filters import check_fit, check_needs, is_full, predicted_kv_blocks
from services.router.domain.placement.kinds import Requirement
from tests.fakes.router import busy, registration, replica


@given(st.integers(1, 10**6), st.integers(1, 512))
def test_predicted_blocks_hold_the_tokens_and_no_block_is_empty(tokens: int, block_tokens: int) -> None:
    on = registration(1, context_tokens=10**7, kv_block_tokens=block_tokens)
    blocks = predicted_kv_blocks(tokens, on)
    assert (blocks - 1) * block_tokens < tokens <= blocks * block_tokens


def test_a_sequence_never_needs_more_than_its_context() -> None:
    assert predicted_kv_blocks(5_000, registration(1)) == 64


def test_each_choice_may_fill_a_context() -> None:
    assert predicted_kv_blocks(2_000, registration(1), choices=3) == 125
    assert predicted_kv_blocks(5_000, registration(1), choices=3) == 3 * 64


def test_an_unknown_block_size_predicts_nothing() -> None:
    assert predicted_kv_blocks(5_000, registration(1, kv_block_tokens=0, kv_blocks=0)) == 0


def test_a_request_that_no_replica_could_hold_is_too_long() -> None:
    small = replica(1, kv_blocks=2)
    with pytest.raises(ComptoirError) as refusal:
        check_fit([small], 100)
    assert refusal.value.reason is Reason.CONTEXT_TOO_LONG
    check_fit([small, replica(2, kv_blocks=0)], 100)
    check_fit([], 100)


def test_a_replica_is_full_by_its_requests_however_many_inputs_or_choices_these_have() -> None:
    of_many_inputs = replace(busy(running=64, waiting=700), open_requests=3)
    assert not is_full(replica(1, load=of_many_inputs))
    assert is_full(replica(1, load=replace(of_many_inputs, open_requests=4)))
    assert is_full(replica(1, load=of_many_inputs, in_flight=4))
    assert is_full(replica(1, load=busy(running=3, waiting=1))), "an older one does not say"


def test_what_no_engine_has_is_refused_by_the_field_that_asks_for_it() -> None:
    bare, told = replica(1, features=0), replica(2, features=EngineFeature.LOGPROBS)
    check_needs([bare, told], Requirement(needs=EngineFeature.LOGPROBS), lambda: False)
    check_needs([bare], Requirement(needs=0), lambda: False)
    # One may come that has it.
    check_needs([], Requirement(needs=EngineFeature.LOGPROBS), lambda: False)
    with pytest.raises(ComptoirError) as refusal:
        check_needs([bare], Requirement(needs=EngineFeature.LOGPROBS), lambda: False)
    assert (refusal.value.reason, refusal.value.field) == (Reason.PARAMETER_UNSUPPORTED, "sampling.logprobs")
    with pytest.raises(ComptoirError) as refusal:
        check_needs(
            [bare, told], Requirement(needs=EngineFeature.LOGPROBS | EngineFeature.TOOLS), lambda: False
        )
    # Of the one that has the most of it.
    assert refusal.value.field == "tools"


def test_a_replica_that_does_not_say_what_its_engine_has_is_taken_to_have_all() -> None:
    check_needs([replica(1)], Requirement(needs=2**32 - 1), lambda: False)
