import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.memory.throughput import cost_per_million, decoding_of
from tests.services.memory.models import NAMES, replica_of


def test_one_request_is_as_fast_as_the_weights_are_read() -> None:
    one = decoding_of(replica_of("llama-3.1-8b"), tokens=1, requests=1, bytes_per_second=3.35e12)
    # 15.01 GB without the embedding, which is looked up, over 3,350 GB/s.
    assert one.tokens_per_second == pytest.approx(223.2, abs=0.1)


def test_a_step_of_few_requests_reaches_few_experts() -> None:
    replica = replica_of("qwen3-30b-a3b")
    one = decoding_of(replica, tokens=1, requests=1, bytes_per_second=1e12)
    many = decoding_of(replica, tokens=1, requests=256, bytes_per_second=1e12)
    # Eight of 128 for each token: 3.3 of 30.5 billion, less the embedding.
    assert 2 * 2.9e9 < one.weight_bytes < 2 * 3.4e9
    assert many.weight_bytes > 2 * 29e9


@given(st.sampled_from(NAMES), st.integers(1, 100_000), st.integers(1, 400))
def test_more_requests_are_never_slower_together_nor_faster_alone(
    name: str, tokens: int, requests: int
) -> None:
    replica = replica_of(name)
    few = decoding_of(replica, tokens=tokens, requests=requests, bytes_per_second=1e12)
    more = decoding_of(replica, tokens=tokens, requests=requests + 1, bytes_per_second=1e12)
    assert more.step_seconds >= few.step_seconds
    longer = decoding_of(replica, tokens=tokens + 1, requests=requests, bytes_per_second=1e12)
    assert longer.step_seconds > 0
    if not any(layer.experts for layer in replica.shape.layers):
        assert more.tokens_per_second >= few.tokens_per_second * 0.999_999


def test_a_million_tokens_cost_the_hour_over_the_millions_of_an_hour() -> None:
    # 3.60 an hour, a thousand tokens a second: 3.6 million an hour.
    assert cost_per_million(gpus=2, price_per_hour=1.8, tokens_per_second=1_000) == pytest.approx(1.0)
