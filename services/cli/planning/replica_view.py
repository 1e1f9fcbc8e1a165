"""Shows the plan of a replica: a table of 80 columns for people, an object for programs."""

from typing import Any, Final

from rich.table import Table

from services.cli.planning.replica_plan import ReplicaPlan
from services.memory.choice import Choice
from services.memory.reserve import GIB
from services.memory.stages import parameters_of

_WIDTH: Final = 78


def main_table(found: ReplicaPlan) -> Table:
    """Returns what the replica keeps, what fits, and what it does at most."""
    table = Table(title=_title(found), title_justify="left", width=_WIDTH)
    table.add_column("")
    table.add_column("on each GPU", justify="right")
    table.add_column("because", overflow="fold")
    # What does not fit decodes nothing.
    money = _money_rows(found.chosen, found) if found.fits else []
    for row in _memory_rows(found) + _load_rows(found) + money:
        table.add_row(*row)
    return table


def choices_table(found: ReplicaPlan) -> Table:
    """Returns the fewest GPUs of each kind that hold the load."""
    currency, cheapest = found.planner.catalog.currency, found.cheapest
    table = Table(title="What holds the load", title_justify="left", width=_WIDTH)
    for name in ("GPUs", "requests at most", f"{currency}/h", "tokens/s at most", f"{currency}/M at least"):
        table.add_column(name, justify="right" if name != "GPUs" else "left")
    for one in found.choices:
        gpus = one.replica.gpus.count
        mark = " *" if one is cheapest else ""
        table.add_row(
            f"{gpus} x {one.gpu.name}{mark}",
            f"{one.replica.most_requests(found.planner.context):,}",
            _money(one.price_per_hour),
            f"{one.decoding.tokens_per_second:,.0f}",
            _money(one.price_per_million),
        )
    return table


def document(found: ReplicaPlan) -> dict[str, Any]:
    """Returns the plan for programs: bytes, tokens, seconds."""
    planner, replica = found.planner, found.chosen.replica
    stage, asked = replica.tightest, planner.asked
    return {
        "model": planner.name,
        "asked": asked.model_dump() | {"context": planner.context},
        "parameters": parameters_of(planner.shape),
        "weights_from": "configuration" if planner.file_bytes is None else "files",
        "gpu": found.chosen.gpu.model_dump(mode="json"),
        "gpus": replica.gpus.count,
        "usable_bytes": replica.gpus.usable_bytes,
        "weight_bytes": replica.weight_bytes(stage),
        "reserve_bytes": replica.reserve_bytes,
        "kv_bytes": replica.kv_bytes(stage),
        "kv_bytes_per_token": replica.page_bytes // replica.cache.block_tokens * len(planner.shape.layers),
        "block_bytes": replica.block_bytes(stage),
        "blocks": replica.blocks,
        "blocks_per_request": replica.blocks_of_request(planner.context),
        "kv_bytes_per_request": _request_bytes(found),
        "fits": found.fits,
        "refusal": found.refusal,
        "most_requests": replica.most_requests(planner.context),
        "longest_context": replica.longest_context(asked.concurrency),
        "headroom_bytes": headroom_bytes(found),
        "decoding": _decoding(found.chosen) if found.fits else None,
        "currency": planner.catalog.currency,
        "price_per_hour": found.chosen.price_per_hour,
        "price_per_million_tokens": found.chosen.price_per_million if found.fits else None,
        "choices": [_choice(one, planner.context) for one in found.choices],
        "cheapest": None if found.cheapest is None else _choice(found.cheapest, planner.context),
    }


def headroom_bytes(found: ReplicaPlan) -> int:
    """Returns what the load leaves of the cache on the tightest GPU; negative is what it lacks."""
    replica = found.chosen.replica
    needed = found.planner.asked.concurrency * replica.blocks_of_request(found.planner.context)
    return (replica.blocks - needed) * replica.block_bytes(replica.tightest)


def _decoding(one: Choice) -> dict[str, float]:
    return {
        "bytes_per_step": one.decoding.bytes_per_step,
        "step_seconds": one.decoding.step_seconds,
        "tokens_per_second": one.decoding.tokens_per_second,
    }


def _choice(one: Choice, tokens: int) -> dict[str, Any]:
    return {
        "gpu": one.gpu.name,
        "tensor_parallel": one.replica.gpus.tensor_parallel,
        "gpus": one.replica.gpus.count,
        "most_requests": one.replica.most_requests(tokens),
        "price_per_hour": one.price_per_hour,
        "tokens_per_second": one.decoding.tokens_per_second,
        "price_per_million_tokens": one.price_per_million,
    }


def _title(found: ReplicaPlan) -> str:
    planner, gpus = found.planner, found.chosen.replica.gpus
    kind = f"{gpus.count} x {found.chosen.gpu.name}"
    load = f"{planner.asked.concurrency:,} requests of {planner.context:,} tokens at once"
    return f"{planner.name} on {kind}: {load}"


def _memory_rows(found: ReplicaPlan) -> list[tuple[str, str, str]]:
    replica, planner = found.chosen.replica, found.planner
    stage, gpus = replica.tightest, replica.gpus
    source = "files" if planner.file_bytes is not None else "config.json"
    parameters = f"{parameters_of(planner.shape) / 1e9:,.2f} billion parameters, {source}"
    is_asked = planner.asked.reserve_gibibytes > 0
    return [
        ("usable", _gib(gpus.usable_bytes), f"{gpus.utilization:g} of {_gib(gpus.memory_bytes)}"),
        ("weights", _gib(replica.weight_bytes(stage)), parameters),
        ("reserve", _gib(replica.reserve_bytes), "--reserve-gib" if is_asked else "estimate: --explain"),
        ("KV cache", _gib(replica.kv_bytes(stage)), "what is left"),
    ]


def _load_rows(found: ReplicaPlan) -> list[tuple[str, str, str]]:
    replica, planner = found.chosen.replica, found.planner
    asked, tokens = planner.asked, planner.context
    needed = replica.blocks_of_request(tokens)
    per_token = replica.page_bytes // replica.cache.block_tokens * len(planner.shape.layers)
    windows = ", less beyond windows" if any(layer.window for layer in planner.shape.layers) else ""
    stages = f" over {asked.pipeline_parallel} stages" if asked.pipeline_parallel > 1 else ""
    return [
        ("KV of a token", f"{per_token:,} B", f"{len(planner.shape.layers)} layers{stages}{windows}"),
        ("KV of a request", _gib(_request_bytes(found)), f"{needed:,} blocks of {asked.block_tokens} tokens"),
        ("blocks", f"{replica.blocks:,}", f"{asked.concurrency * needed:,} are needed"),
        ("most requests", f"{replica.most_requests(tokens):,}", f"of {tokens:,} tokens each"),
        (
            "longest context",
            f"{replica.longest_context(asked.concurrency):,}",
            f"of {asked.concurrency:,} requests; the model has {planner.shape.context_tokens:,}",
        ),
        ("headroom", _gib(headroom_bytes(found)), "fits" if found.fits else "does not fit"),
    ]


def _money_rows(chosen: Choice, found: ReplicaPlan) -> list[tuple[str, str, str]]:
    currency, decoding = found.planner.catalog.currency, chosen.decoding
    rows = [
        (
            "tokens/s of all, at most",
            f"{decoding.tokens_per_second:,.0f}",
            f"{decoding.bytes_per_step / GIB:,.1f} GiB are read each {1e3 * decoding.step_seconds:,.1f} ms",
        )
    ]
    if chosen.price_per_hour is not None and chosen.gpu.price is not None:
        price = chosen.gpu.price
        rows.append(
            (f"{currency}/h of all", _money(chosen.price_per_hour), f"{price.read_on}, {price.source}")
        )
        rows.append((f"{currency}/M tokens, at least", _money(chosen.price_per_million), "by that tokens/s"))
    return rows


def _request_bytes(found: ReplicaPlan) -> int:
    replica = found.chosen.replica
    return replica.blocks_of_request(found.planner.context) * replica.block_bytes(replica.tightest)


def _gib(size: float) -> str:
    return f"{size / GIB:,.2f} GiB"


def _money(amount: float | None) -> str:
    return "no price" if amount is None else f"{amount:,.2f}"
