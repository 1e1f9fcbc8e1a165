"""Which GPUs hold a load: of each kind the fewest that do, what they cost, and the cheapest of all."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.memory.gpus import Gpu, GpuCatalog
from services.memory.replica import Replica
from services.memory.throughput import Decoding, cost_per_million, decoding_of

# Within one machine.
TENSOR_PARALLEL: Final = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Choice:
    """A kind of GPU, the fewest of it that hold the load, and what follows."""

    gpu: Gpu
    replica: Replica
    decoding: Decoding
    price_per_hour: float | None
    """Of all its GPUs."""
    price_per_million: float | None
    """Of a million output tokens, at the ceiling of decoding: at least."""


def choice_of(
    replica: Replica, gpu: Gpu, catalog: GpuCatalog, *, tokens: int, requests: int, bandwidth_share: float
) -> Choice:
    """Returns what follows from a replica on GPUs of a kind."""
    speed = gpu.bytes_per_second * bandwidth_share
    decoding = decoding_of(replica, tokens=tokens, requests=requests, bytes_per_second=speed)
    price, gpus = catalog.price_per_hour(gpu), replica.gpus.count
    if price is None:
        return Choice(gpu, replica, decoding, None, None)
    million = cost_per_million(gpus=gpus, price_per_hour=price, tokens_per_second=decoding.tokens_per_second)
    return Choice(gpu, replica, decoding, gpus * price, million)


def choices_of(
    catalog: GpuCatalog,
    replica_on: Callable[[Gpu, int], Replica | None],
    *,
    tokens: int,
    requests: int,
    bandwidth_share: float,
) -> Iterator[Choice]:
    """Yields the fewest GPUs of each kind that hold the load, where at most eight do.

    `replica_on` makes the replica for a kind and a tensor-parallel size, or none where the model has no such.
    """
    for gpu in catalog.gpus:
        made = (replica_on(gpu, size) for size in TENSOR_PARALLEL)
        fitting = next((one for one in made if one is not None and one.fits(tokens, requests)), None)
        if fitting is not None:
            yield choice_of(
                fitting, gpu, catalog, tokens=tokens, requests=requests, bandwidth_share=bandwidth_share
            )


def cheapest_of(choices: Sequence[Choice]) -> Choice | None:
    """Returns the one of the lowest price of an hour; without prices the fewest GPUs of the least memory."""
    priced = [one for one in choices if one.price_per_hour is not None]
    if priced:
        return min(priced, key=lambda one: one.price_per_hour or 0.0)
    return min(choices, key=lambda one: (one.replica.gpus.count, one.gpu.memory_gibibytes), default=None)


def why_not(heads: int, kv_heads: int, layers: int, *, tensor_parallel: int, pipeline_parallel: int) -> str:
    """Returns why a model cannot be divided so; empty where it can."""
    if heads % tensor_parallel:
        return f"--tensor-parallel {tensor_parallel} does not divide the model's {heads} heads"
    if kv_heads % tensor_parallel and tensor_parallel % kv_heads:
        return f"--tensor-parallel {tensor_parallel} and {kv_heads} KV heads do not divide one another"
    if pipeline_parallel > layers:
        return f"--pipeline-parallel {pipeline_parallel} is more than the model's {layers} layers"
    return ""
