from services.memory.reserve import COLLECTIVE_BYTES, CONTEXT_BYTES, GRAPH_BYTES, reserve_of
from tests.services.memory.models import shape_of


def test_the_reserve_grows_with_the_step_and_with_what_runs() -> None:
    shape = shape_of("llama-3.1-8b")
    one = reserve_of(shape, gpus=1, tensor_parallel=1, batched_tokens=2_048, running_requests=64)
    # Gate, up and their product, and three copies of the hidden state, in two bytes.
    assert one.activations == 2_048 * (3 * 14_336 + 3 * 4_096) * 2
    assert one.logits == 64 * 128_256 * 4 * 3
    assert one.total == CONTEXT_BYTES + GRAPH_BYTES + one.activations + one.logits
    two = reserve_of(shape, gpus=2, tensor_parallel=2, batched_tokens=2_048, running_requests=64)
    assert two.collectives == COLLECTIVE_BYTES
    assert two.activations < one.activations
