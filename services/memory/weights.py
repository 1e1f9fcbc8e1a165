"""The weights of a model and what one GPU of several keeps of them: by vLLM's ways of dividing a matrix."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from services.memory.architecture import Architecture, Experts, Latent, Layer
from services.memory.quantization import Quantization

# vLLM rounds the vocabulary up, so that it can be divided.
_VOCABULARY_STEP: Final = 64
_FLOAT32: Final = 4


class Shard(Enum):
    """What of a weight each GPU of a tensor-parallel group keeps."""

    WHOLE = "whole"
    ROWS = "rows"
    COLUMNS = "columns"


@dataclass(frozen=True, slots=True)
class Weight:
    """One matrix, or a vector of one row, and how often the model has it."""

    name: str
    rows: int
    columns: int
    shard: Shard = Shard.WHOLE
    count: int = 1
    is_quantizable: bool = False
    number_bytes: int = 0
    """Where it is not the model's own: of a vector that is always float32."""

    @property
    def parameters(self) -> int:
        """How many numbers it has."""
        return self.rows * self.columns * self.count

    def of_rank(self, ranks: int) -> "Weight":
        """Returns what one of so many GPUs keeps."""
        match self.shard:
            case Shard.ROWS:
                return replace(self, rows=math.ceil(self.rows / ranks))
            case Shard.COLUMNS:
                return replace(self, columns=math.ceil(self.columns / ranks))
        return self

    def bytes_as(self, number_bytes: int, quantization: Quantization | None) -> int:
        """Returns its bytes, quantised where it can be and is."""
        if quantization is not None and self.is_quantizable and quantization.covers(self.name):
            return self.count * quantization.bytes_of(self.rows, self.columns)
        return self.parameters * (self.number_bytes or number_bytes)


def embedding_weights(shape: Architecture) -> Iterator[Weight]:
    """Yields what the first stage of a pipeline has beside its layers."""
    rows = math.ceil(shape.vocabulary / _VOCABULARY_STEP) * _VOCABULARY_STEP
    yield Weight("embed_tokens", rows, shape.hidden, Shard.ROWS)


def head_weights(shape: Architecture, *, has_embedding: bool) -> Iterator[Weight]:
    """Yields what the last stage has beside its layers: a head of its own, unless it is the embedding."""
    yield Weight("norm", 1, shape.hidden)
    if not (shape.is_tied and has_embedding):
        rows = math.ceil(shape.vocabulary / _VOCABULARY_STEP) * _VOCABULARY_STEP
        yield Weight("lm_head", rows, shape.hidden, Shard.ROWS)


def layer_weights(shape: Architecture, layer: Layer, ranks: int) -> Iterator[Weight]:
    """Yields the weights of a layer; those of keys and values as often as so many GPUs repeat them."""
    yield Weight("norms", 1, shape.hidden, count=shape.norms_per_layer)
    if shape.latent is not None:
        yield from _latent_weights(shape, shape.latent)
    else:
        yield from _attention_weights(shape, ranks)
    if layer.experts is not None:
        yield from _expert_weights(shape, layer.experts)
    else:
        yield from _network_weights("mlp", shape.hidden, layer.intermediate)
        if shape.has_mlp_bias:
            yield Weight("mlp.bias", 1, 2 * layer.intermediate, Shard.COLUMNS)
            yield Weight("mlp.down_bias", 1, shape.hidden)


def _attention_weights(shape: Architecture, ranks: int) -> Iterator[Weight]:
    query = shape.heads * shape.head_dim
    # With fewer heads than GPUs each GPU has one, so together they keep more than the model has.
    kv = max(shape.kv_heads, ranks) * shape.head_dim
    yield _linear("self_attn.q_proj", query, shape.hidden, Shard.ROWS)
    yield _linear("self_attn.k_proj", kv, shape.hidden, Shard.ROWS)
    yield _linear("self_attn.v_proj", kv, shape.hidden, Shard.ROWS)
    yield _linear("self_attn.o_proj", shape.hidden, query, Shard.COLUMNS)
    if shape.has_qkv_bias:
        yield Weight("self_attn.bias", 1, query + 2 * kv, Shard.COLUMNS)
    if shape.has_output_bias:
        yield Weight("self_attn.o_bias", 1, shape.hidden)
    if shape.has_head_norms:
        yield Weight("self_attn.norms", 1, shape.head_dim, count=2)
    if shape.has_sinks:
        yield Weight("self_attn.sinks", 1, shape.heads, Shard.COLUMNS)


def _latent_weights(shape: Architecture, latent: Latent) -> Iterator[Weight]:
    query = shape.heads * (latent.nope_dim + latent.rope_dim)
    if latent.query_rank:
        yield _linear("self_attn.q_a_proj", latent.query_rank, shape.hidden)
        yield Weight("self_attn.q_a_layernorm", 1, latent.query_rank)
        yield _linear("self_attn.q_b_proj", query, latent.query_rank, Shard.ROWS)
    else:
        yield _linear("self_attn.q_proj", query, shape.hidden, Shard.ROWS)
    yield _linear("self_attn.kv_a_proj_with_mqa", latent.kv_rank + latent.rope_dim, shape.hidden)
    yield Weight("self_attn.kv_a_layernorm", 1, latent.kv_rank)
    up = shape.heads * (latent.nope_dim + latent.value_dim)
    yield _linear("self_attn.kv_b_proj", up, latent.kv_rank, Shard.ROWS)
    if shape.quantization is not None:
        # For decoding vLLM keeps it once more in the model's own numbers, beside the quantised one.
        yield Weight("self_attn.kv_b_absorbed", up, latent.kv_rank, Shard.ROWS)
    yield _linear("self_attn.o_proj", shape.hidden, shape.heads * latent.value_dim, Shard.COLUMNS)


def _expert_weights(shape: Architecture, experts: Experts) -> Iterator[Weight]:
    yield Weight("mlp.gate", experts.count, shape.hidden)
    yield from _network_weights("mlp.experts", shape.hidden, experts.intermediate, experts.count)
    if experts.shared_intermediate:
        yield from _network_weights("mlp.shared_experts", shape.hidden, experts.shared_intermediate)
    if experts.has_biases:
        yield Weight("mlp.gate_bias", 1, experts.count)
        yield Weight("mlp.experts_bias", 1, 2 * experts.intermediate, Shard.COLUMNS, experts.count)
        yield Weight("mlp.experts_down_bias", 1, shape.hidden, count=experts.count)
    if experts.has_correction:
        yield Weight("mlp.correction_bias", 1, experts.count, number_bytes=_FLOAT32)


def _network_weights(name: str, hidden: int, intermediate: int, count: int = 1) -> Iterator[Weight]:
    yield _linear(f"{name}.gate_proj", intermediate, hidden, Shard.ROWS, count)
    yield _linear(f"{name}.up_proj", intermediate, hidden, Shard.ROWS, count)
    yield _linear(f"{name}.down_proj", hidden, intermediate, Shard.COLUMNS, count)


def _linear(name: str, rows: int, columns: int, shard: Shard = Shard.WHOLE, count: int = 1) -> Weight:
    return Weight(name, rows, columns, shard, count, is_quantizable=True)
