"""The ceiling of decoding that memory bandwidth sets, and what a million tokens cost below it."""

from dataclasses import dataclass
from typing import Final

from services.memory.architecture import AttentionKind, Layer
from services.memory.replica import Replica
from services.memory.stages import Stage

_SECONDS_PER_HOUR: Final = 3_600
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Decoding:
    """What one step of decoding reads on the slowest stage, and the tokens per second that follow."""

    requests_per_step: float
    weight_bytes: float
    kv_bytes: float
    step_seconds: float
    tokens_per_second: float
    """Of the replica, at most."""

    @property
    def bytes_per_step(self) -> float:
        """All that is read."""
        return self.weight_bytes + self.kv_bytes


def decoding_of(replica: Replica, *, tokens: int, requests: int, bytes_per_second: float) -> Decoding:
    """Returns the ceiling at so many running requests of so many tokens.

    Each step reads the weights once and the keys and values of all its requests; stages work on a part of the
    requests each, at once.
    """
    each = requests / replica.gpus.pipeline_parallel
    slowest = max(replica.stages, key=lambda stage: sum(_read(replica, stage, tokens, each)))
    weights, kv = _read(replica, slowest, tokens, each)
    seconds = (weights + kv) / bytes_per_second
    return Decoding(each, weights, kv, seconds, each / seconds)


def cost_per_million(*, gpus: int, price_per_hour: float, tokens_per_second: float) -> float:
    """Returns the cluster's price of an hour over the millions of tokens of an hour."""
    return gpus * price_per_hour / (tokens_per_second * _SECONDS_PER_HOUR / _MILLION)


def _read(replica: Replica, stage: Stage, tokens: int, requests: float) -> tuple[float, float]:
    layers = [replica.shape.layers[index] for index in stage.layers]
    experts = stage.expert_bytes * _share_of_experts(layers, requests)
    kept = sum(_seen(layer, tokens) for layer in layers)
    per_token = replica.page_bytes / replica.cache.block_tokens
    return (stage.read_bytes + experts) * replica.weight_factor, requests * kept * per_token


def _share_of_experts(layers: list[Layer], requests: float) -> float:
    """Returns the share of experts that a step reaches, where tokens are sent to them evenly."""
    experts = next((layer.experts for layer in layers if layer.experts is not None), None)
    if experts is None:
        return 0.0
    missed = 1 - min(1.0, experts.per_token / experts.count)
    return float(1 - missed ** max(requests, 1.0))


def _seen(layer: Layer, tokens: int) -> float:
    match layer.kind:
        case AttentionKind.SLIDING:
            return min(tokens, layer.window)
        case AttentionKind.CHUNKED:
            # A token sees its chunk so far: half of one on average.
            return min(tokens, layer.window) / (1 if tokens <= layer.window else 2)
    return tokens
