"""What an engine needs besides weights and KV cache: an estimate, until its start says the true number."""

from dataclasses import dataclass
from typing import Final

from services.memory.architecture import Architecture

GIB: Final = 2**30
# Not measured on a GPU here: vLLM profiles it at its start. Context, libraries and fragments are taken as 1.5
# GiB and captured graphs as 1, where 1.5 to 3 and 0.5 to 2 are usual until a start was seen.
CONTEXT_BYTES: Final = GIB * 3 // 2
GRAPH_BYTES: Final = GIB
COLLECTIVE_BYTES: Final = GIB // 2
_FLOAT32: Final = 4
# Of logits the sampler keeps them, their probabilities, and a sorted copy.
_LOGIT_COPIES: Final = 3
# Of a layer's activations: what it got, what it adds, and what is normalised.
_HIDDEN_COPIES: Final = 3


@dataclass(frozen=True, slots=True)
class Reserve:
    """Bytes on each GPU, by what they are for."""

    context: int
    collectives: int
    graphs: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.context + self.collectives + self.graphs + self.activations + self.logits


def reserve_of(
    shape: Architecture, *, gpus: int, tensor_parallel: int, batched_tokens: int, running_requests: int
) -> Reserve:
    """Returns the estimate for one GPU of a replica."""
    return Reserve(
        context=CONTEXT_BYTES,
        collectives=COLLECTIVE_BYTES if gpus > 1 else 0,
        graphs=GRAPH_BYTES,
        activations=batched_tokens * _widest(shape, tensor_parallel) * shape.weight_bytes,
        logits=running_requests * shape.vocabulary * _FLOAT32 * _LOGIT_COPIES,
    )


def _widest(shape: Architecture, ranks: int) -> int:
    """Returns the numbers that one token takes in the widest part of a layer."""
    inner = 0
    for layer in shape.layers:
        # Gate, up, and their product; of experts those that a token is sent to.
        width = layer.intermediate
        if layer.experts is not None:
            width = layer.experts.per_token * layer.experts.intermediate + layer.experts.shared_intermediate
        inner = max(inner, 3 * width // ranks)
    query = (shape.heads + 2 * max(shape.kv_heads, ranks)) * shape.head_dim // ranks
    return _HIDDEN_COPIES * shape.hidden + max(inner, query)
