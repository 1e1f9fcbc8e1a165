"""The stages of a pipeline: which layers each has, and the bytes of its weights on one of its GPUs."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.memory.architecture import Architecture
from services.memory.weights import Weight, embedding_weights, head_weights, layer_weights


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage, and what each of its GPUs keeps."""

    layers: range
    weight_bytes: int
    read_bytes: int
    """Of them, what a step reads whatever its tokens are: all but the embedding and the experts."""
    expert_bytes: int
    """Those of the experts that tokens are sent to."""


def stages_of(
    shape: Architecture, *, tensor_parallel: int = 1, pipeline_parallel: int = 1
) -> tuple[Stage, ...]:
    """Returns the stages in their order."""
    bounds, first = [], 0
    for count in _layers_by_stage(len(shape.layers), pipeline_parallel):
        bounds.append(range(first, first + count))
        first += count
    return tuple(_stage(shape, layers, tensor_parallel) for layers in bounds)


def parameters_of(shape: Architecture) -> int:
    """Returns the numbers that the model has, in its unpadded form but for the vocabulary."""
    whole = range(len(shape.layers))
    return sum(weight.parameters for weight in _weights(shape, whole, 1) if not _is_copy(weight))


def bytes_of(shape: Architecture) -> int:
    """Returns the bytes of all weights on one GPU."""
    return _stage(shape, range(len(shape.layers)), 1).weight_bytes


def _layers_by_stage(layers: int, stages: int) -> list[int]:
    # What is left over goes to the stages before the last, the first excepted as long as it can be.
    counts = [layers // stages] * stages
    for place in range(2, layers % stages + 2):
        counts[-place] += 1
    return counts


def _stage(shape: Architecture, layers: range, ranks: int) -> Stage:
    total, read, experts = 0, 0, 0
    for weight in _weights(shape, layers, ranks):
        size = weight.of_rank(ranks).bytes_as(shape.weight_bytes, shape.quantization)
        total += size
        if ".experts" in weight.name:
            experts += size
        elif weight.name != "embed_tokens" or shape.is_tied:
            read += size
    return Stage(layers, total, read, experts)


def _weights(shape: Architecture, layers: range, ranks: int) -> Iterator[Weight]:
    has_first, has_last = layers.start == 0, layers.stop == len(shape.layers)
    if has_first or (has_last and shape.is_tied):
        yield from embedding_weights(shape)
    for index in layers:
        yield from layer_weights(shape, shape.layers[index], ranks)
    if has_last:
        yield from head_weights(shape, has_embedding=True)


def _is_copy(weight: Weight) -> bool:
    return weight.name.endswith("_absorbed")
