import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.memory.replica import Replica
from tests.services.memory.models import NAMES, replica_of

SMALL = [name for name in NAMES if name not in {"deepseek-v3", "llama-4-scout"}]
CONTEXTS = st.integers(1, 200_000)
REQUESTS = st.integers(1, 300)


@st.composite
def replicas(draw: st.DrawFn) -> Replica:
    return replica_of(
        draw(st.sampled_from(SMALL)),
        memory_bytes=draw(st.integers(20, 200)) * 2**30,
        tensor_parallel=draw(st.sampled_from((1, 2, 4))),
        pipeline_parallel=draw(st.sampled_from((1, 2, 3))),
        block_tokens=draw(st.sampled_from((8, 16, 32, 128))),
    )


@given(replicas(), CONTEXTS, st.integers(0, 50_000), REQUESTS)
def test_more_context_never_needs_less_memory(one: Replica, tokens: int, more: int, requests: int) -> None:
    assert one.needed_bytes(tokens + more, requests) >= one.needed_bytes(tokens, requests)
    assert one.needed_bytes(tokens, requests + 1) > one.needed_bytes(tokens, requests)


@given(st.sampled_from(SMALL), st.sampled_from((1, 2)), CONTEXTS, REQUESTS)
def test_tensor_parallel_never_needs_more_of_a_gpu(name: str, ranks: int, tokens: int, requests: int) -> None:
    few = replica_of(name, tensor_parallel=ranks)
    many = replica_of(name, tensor_parallel=2 * ranks)
    assert many.needed_bytes(tokens, requests) <= few.needed_bytes(tokens, requests)


@settings(deadline=None)
@given(replicas(), REQUESTS)
def test_the_longest_context_fits_and_one_block_more_does_not(one: Replica, requests: int) -> None:
    longest = one.longest_context(requests)
    if longest:
        assert one.fits(longest, requests)
    more = longest + one.cache.block_tokens
    assert more > one.shape.context_tokens or not one.fits(more, requests)


@given(replicas(), CONTEXTS)
def test_the_most_requests_fit_and_one_more_does_not(one: Replica, tokens: int) -> None:
    most = one.most_requests(tokens)
    assert one.fits(tokens, most)
    assert not one.fits(tokens, most + 1)


@given(replicas(), CONTEXTS, REQUESTS)
def test_what_fits_is_what_the_memory_holds(one: Replica, tokens: int, requests: int) -> None:
    is_held = one.needed_bytes(tokens, requests) <= one.gpus.usable_bytes
    assert one.fits(tokens, requests) == is_held


def test_a_stage_has_what_is_left_over_before_the_last() -> None:
    one = replica_of("gemma-3-1b", pipeline_parallel=4)
    assert [len(stage.layers) for stage in one.stages] == [6, 7, 7, 6]


@pytest.mark.parametrize(
    ("kib", "name"), [(128, "llama-3.1-8b"), (56, "qwen2.5-7b"), (30.375, "deepseek-v2-lite")]
)
def test_a_token_takes_what_is_known_of_it(kib: float, name: str) -> None:
    one = replica_of(name)
    assert one.block_bytes(one.tightest) / one.cache.block_tokens == kib * 1_024
