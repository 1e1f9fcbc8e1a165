from comptoir.usage.v1 import usage_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.terminal_event import Counts, Outcome, kv_blocks_for


def test_outcomes_have_the_numbers_of_the_schema() -> None:
    ours = {f"OUTCOME_{outcome.name}": int(outcome) for outcome in Outcome}
    assert ours | {"OUTCOME_UNSPECIFIED": 0} == dict(usage_pb2.Outcome.items())


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 512))
def test_blocks_hold_all_tokens_and_not_one_block_more(inputs: int, outputs: int, block: int) -> None:
    blocks = kv_blocks_for(Counts(inputs, 0, outputs), block)
    assert (blocks - 1) * block < inputs + outputs <= blocks * block


def test_an_unknown_block_size_fills_no_blocks() -> None:
    assert kv_blocks_for(Counts(10, 0, 10), 0) == 0
