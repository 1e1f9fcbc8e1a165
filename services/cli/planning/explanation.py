"""The arithmetic of a plan, line by line, each with where its formula is from."""

from collections.abc import Iterator

from services.cli.planning.replica_plan import ReplicaPlan
from services.memory.architecture import AttentionKind
from services.memory.kv_blocks import Group
from services.memory.reserve import GIB
from services.memory.stages import parameters_of


def explained(found: ReplicaPlan) -> Iterator[str]:
    """Yields the lines."""
    yield from _weights(found)
    yield from _reserve(found)
    yield from _cache(found)
    if found.fits:
        yield from _decoding(found)


def _weights(found: ReplicaPlan) -> Iterator[str]:
    planner, replica = found.planner, found.chosen.replica
    shape, stage = planner.shape, replica.tightest
    yield f"Weights: {parameters_of(shape):,} parameters by the configuration ({shape.model_type})."
    method = shape.quantization
    stored = (
        f"{shape.weight_bytes} bytes each"
        if method is None
        else f"{method.method}, {method.bits} bits and scales"
    )
    yield f"  {stored}; embeddings, norms and routers stay at {shape.weight_bytes} bytes"
    if planner.file_bytes is not None:
        yield f"  the files hold {planner.file_bytes:,} B, {planner.weight_factor:.4f} of that, on each GPU"
    if shape.is_text_part:
        yield "  the configuration has more parts, such as a vision tower: only files say their bytes"
    layers = f"layers {stage.layers.start} to {stage.layers.stop - 1}"
    yield f"  {layers} over {replica.gpus.tensor_parallel} GPU(s), norms and latent projections whole on each"
    yield f"  = {replica.weight_bytes(stage):,} B on a GPU"


def _reserve(found: ReplicaPlan) -> Iterator[str]:
    planner, replica = found.planner, found.chosen.replica
    if planner.asked.reserve_gibibytes > 0:
        yield f"Reserve: {replica.reserve_bytes:,} B, as --reserve-gib says."
        return
    estimate = planner.reserve(replica.gpus.tensor_parallel)
    yield f"Reserve: {estimate.total / GIB:.2f} GiB, an estimate; the engine's log says the true one."
    yield f"  context, libraries {estimate.context / GIB:.2f} + captured graphs {estimate.graphs / GIB:.2f}"
    yield (
        f"  + collectives {estimate.collectives / GIB:.2f} + logits {estimate.logits / GIB:.2f} "
        f"+ activations {estimate.activations / GIB:.2f} (a step of {planner.asked.batched_tokens:,} tokens)"
    )


def _cache(found: ReplicaPlan) -> Iterator[str]:
    planner, replica = found.planner, found.chosen.replica
    shape, cache, stage, tokens = planner.shape, replica.cache, replica.tightest, planner.context
    yield "KV cache, as vLLM 0.32 plans it (v1/core/kv_cache_utils.py):"
    yield (
        f"  {replica.gpus.usable_bytes:,} - {replica.weight_bytes(stage):,} - {replica.reserve_bytes:,} "
        f"= {replica.kv_bytes(stage):,} B"
    )
    if shape.latent is not None:
        numbers = f"({shape.latent.kv_rank} latent + {shape.latent.rope_dim} rotary), whole on each GPU"
    else:
        heads = max(1, shape.kv_heads // replica.gpus.tensor_parallel)
        numbers = f"{heads} heads x 2 x {shape.head_dim}"
    yield (
        f"  a layer's block: {cache.block_tokens} tokens x {numbers} x {cache.number_bytes} B = "
        f"{replica.page_bytes:,} B"
    )
    yield (
        f"  a block of the pool: that of the largest of {len(replica.groups)} groups of layers = "
        f"{replica.block_bytes(stage):,} B; {replica.blocks:,} blocks, one more is never given"
    )
    for kind, count, group in _kinds(replica.groups):
        yield f"  {count} group(s), {kind}: {_formula(group, cache.in_flight_tokens)}"
        yield f"    = {group.blocks_of_request(tokens, cache):,} blocks in each for {tokens:,} tokens"
    blocks, most = replica.blocks_of_request(tokens), replica.most_requests(tokens)
    yield f"  a request: {blocks:,} blocks; {most:,} requests fit"


def _kinds(groups: tuple[Group, ...]) -> Iterator[tuple[str, int, Group]]:
    alike: dict[tuple[AttentionKind, int], list[Group]] = {}
    for group in groups:
        alike.setdefault((group.kind, group.window), []).append(group)
    for (kind, window), members in alike.items():
        yield f"{kind.value}{f' {window:,}' if window else ''}", len(members), members[0]


def _formula(group: Group, in_flight: int) -> str:
    match group.kind:
        case AttentionKind.SLIDING:
            return f"⌈min({group.window:,} - 1 + {in_flight:,} in flight, tokens) / block⌉ + 1"
        case AttentionKind.CHUNKED:
            return f"⌈min({group.window:,} + {in_flight:,} in flight, tokens) / block⌉"
    return "⌈tokens / block⌉"


def _decoding(found: ReplicaPlan) -> Iterator[str]:
    decoding, gpu, asked = found.chosen.decoding, found.chosen.gpu, found.planner.asked
    yield "Decoding, at most: a step reads the weights once and each request's keys and values (roofline)."
    yield (
        f"  {decoding.weight_bytes / GIB:,.2f} GiB weights + {decoding.kv_bytes / GIB:,.2f} GiB of "
        f"{decoding.requests_per_step:g} requests = {decoding.bytes_per_step / GIB:,.2f} GiB on a GPU"
    )
    yield (
        f"  ÷ {asked.bandwidth_share:g} x {gpu.bandwidth_gigabytes_per_second:,.0f} GB/s ({gpu.source}) = "
        f"{1e3 * decoding.step_seconds:,.2f} ms"
    )
    yield f"  {decoding.requests_per_step:g} ÷ that = {decoding.tokens_per_second:,.0f} tokens/s"
    price = found.chosen.price_per_hour
    if price is not None:
        yield (
            f"Cost: {price:,.4f} {found.planner.catalog.currency}/h ÷ (tokens/s x 3600 ÷ 1,000,000) = "
            f"{found.chosen.price_per_million:,.4f} per million tokens, at full load"
        )
