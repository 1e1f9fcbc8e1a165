"""The shape of a model, as far as its memory follows from it: layers, heads, experts, vocabulary."""

from dataclasses import dataclass
from enum import Enum

from services.memory.quantization import Quantization


class AttentionKind(Enum):
    """Which tokens of a request a layer keeps in the KV cache."""

    FULL = "full"
    SLIDING = "sliding window"
    CHUNKED = "chunked"
    LATENT = "latent (MLA)"


@dataclass(frozen=True, slots=True)
class Latent:
    """The ranks of multi-head latent attention; 0 for queries that are not compressed."""

    kv_rank: int
    rope_dim: int
    nope_dim: int
    value_dim: int
    query_rank: int = 0


@dataclass(frozen=True, slots=True)
class Experts:
    """The experts of a layer: how many, how many a token is sent to, and one of them; and what all share."""

    count: int
    per_token: int
    intermediate: int
    shared_intermediate: int = 0
    has_biases: bool = False
    """Of the router and of each expert."""
    has_correction: bool = False
    """A correction of the router's scores, in float32."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: what its attention keeps, and a dense network or experts."""

    kind: AttentionKind
    window: int = 0
    intermediate: int = 0
    experts: Experts | None = None


@dataclass(frozen=True, slots=True)
class Architecture:
    """A model of one stack of layers that generates text."""

    model_type: str
    layers: tuple[Layer, ...]
    hidden: int
    vocabulary: int
    heads: int
    kv_heads: int
    head_dim: int
    context_tokens: int
    weight_bytes: int
    """Bytes of a number that is not quantised: 2 or 4."""
    is_tied: bool = False
    has_qkv_bias: bool = False
    has_output_bias: bool = False
    has_mlp_bias: bool = False
    has_head_norms: bool = False
    has_sinks: bool = False
    norms_per_layer: int = 2
    latent: Latent | None = None
    quantization: Quantization | None = None
    is_text_part: bool = False
    """Whether the configuration describes more, such as a vision tower, that is not counted here."""

    @property
    def kv_width(self) -> int:
        """Numbers that one layer keeps for one token, over all heads."""
        if self.latent is not None:
            return self.latent.kv_rank + self.latent.rope_dim
        return 2 * self.kv_heads * self.head_dim
