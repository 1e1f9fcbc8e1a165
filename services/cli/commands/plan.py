"""`comptoir plan`: what fits on the GPUs of a replica, and how many of each process serve a region's load."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from deploy.local.stack.errors import StackError
from services.cli import plan_options as options
from services.cli.administering import AsJson
from services.cli.capacity.assumptions import Assumptions
from services.cli.capacity.ceilings import ceilings
from services.cli.capacity.plan_rows import rows_of
from services.cli.capacity.sizing import Plan
from services.cli.capacity.sizing import plan as plan_of
from services.cli.planning.asked import Asked
from services.cli.planning.asking import asked_of, option_of, plan_replica
from services.cli.planning.explanation import explained
from services.cli.planning.region_plan import gpus_line, with_replicas
from services.cli.planning.replica_plan import ReplicaPlan
from services.cli.planning.replica_view import choices_table, document, main_table

# Of both kinds of plan.
_SHARED: Final = frozenset({"as_json", "model"})


def plan(  # noqa: PLR0913 - each assumption is an option
    command: typer.Context,
    *,
    model: options.Model = "",
    gpu: options.GpuName = "",
    context: options.Context = 0,
    concurrency: options.Concurrency = 1,
    tensor_parallel: options.TensorParallel = 1,
    pipeline_parallel: options.PipelineParallel = 1,
    kv_dtype: options.KvType = "auto",
    dtype: options.WeightType = "auto",
    block_tokens: options.BlockTokens = 16,
    batched_tokens: options.BatchedTokens = 2_048,
    gpu_memory_utilization: options.GpuUtilization = 0.92,
    reserve_gibibytes: options.ReserveGib = 0.0,
    bandwidth_share: options.BandwidthShare = 1.0,
    gpus: options.GpusFile = None,
    prices: options.PricesFile = None,
    explain: options.Explain = False,
    streams: options.Streams = 1_000,
    tokens_per_second: options.TokensPerSecond = 30.0,
    output_tokens: options.OutputTokens = 300.0,
    streams_per_replica: options.StreamsPerReplica = 100,
    idle_connections_per_stream: options.IdleConnections = 2.0,
    utilization: options.Utilization = 0.6,
    core_speed: options.CoreSpeed = 1.0,
    edge_connections: options.EdgeConnections = 4_096,
    edge_memory_mebibytes: options.EdgeMemory = 1_024,
    frame_events: options.FrameEvents = 500,
    as_json: AsJson = False,
) -> None:
    """Say what fits on a replica's GPUs (--model), or what serves a region (--streams); nothing is changed.

    With both, replicas run the --concurrency that was planned, and the region is made of them.

    comptoir plan --model llama-3.1-8b --gpu h100 --context 131072 --concurrency 3

    comptoir plan --streams 100000
    """
    # Each option has the name of its field.
    said = dict(locals())
    given = _given(command)
    _check_given(given, has_model=bool(model))
    assumed = _assumed({name: said[name] for name in Assumptions.model_fields})
    if model:
        asked = asked_of({name: said[name] for name in Asked.model_fields})
        found = plan_replica(model, gpu, asked, gpus=gpus, prices=prices)
        _show_replica(found, assumed if "streams" in given else None, explain=explain, as_json=as_json)
    elif as_json:
        _print_json(_region_document(assumed))
    else:
        _print_region(assumed, _console())


def _given(context: typer.Context) -> set[str]:
    """Returns the names of what stands on the command line, without those of both kinds of plan."""
    sources = {name: context.get_parameter_source(name) for name in context.params if name not in _SHARED}
    return {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}


def _check_given(given: set[str], *, has_model: bool) -> None:
    of_region = {name for name in given if name in Assumptions.model_fields}
    if not has_model and given - of_region:
        raise StackError(f"--{option_of(min(given - of_region))} is of a replica's memory: add --model.")
    if has_model and of_region and "streams" not in given:
        raise StackError(
            f"--{option_of(min(of_region))} is of a region: add --streams, or leave out --model."
        )
    if has_model and "tensor_parallel" in given and "gpu" not in given:
        raise StackError("--tensor-parallel needs --gpu: without one the fewest of each kind are looked for.")
    if has_model and "streams_per_replica" in given:
        raise StackError("--streams-per-replica is --concurrency where --model is given; leave one out.")


def _assumed(said: Mapping[str, Any]) -> Assumptions:
    try:
        return Assumptions.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        raise StackError(f"--{first['loc'][0]}: {first['msg']}.".replace("_", "-")) from None


def _show_replica(found: ReplicaPlan, region: Assumptions | None, *, explain: bool, as_json: bool) -> None:
    if region is not None:
        # What does not fit is no part of a region.
        region = with_replicas(region, found) if found.fits else None
    if as_json:
        _print_json(document(found) | ({} if region is None else {"region": _region_document(region)}))
    else:
        _print_replica(found, explain=explain)
    if region is not None and not as_json:
        _console().print(gpus_line(region, found))
        _print_region(region, _console())
    if found.refusal:
        raise StackError(found.refusal)


def _print_replica(found: ReplicaPlan, *, explain: bool) -> None:
    console = _console()
    console.print(main_table(found))
    if found.choices:
        console.print(choices_table(found))
        console.print("* the cheapest. Tokens/s are a ceiling by memory bandwidth: docs/planning.md.")
    if explain:
        for line in explained(found):
            console.print(line, soft_wrap=True, highlight=False)


def _region_document(assumed: Assumptions) -> dict[str, Any]:
    planned = _planned(assumed)
    full = [dataclasses.asdict(one) for one in ceilings(assumed)]
    return {"assumed": assumed.model_dump(), "plan": dataclasses.asdict(planned), "ceilings": full}


def _print_region(assumed: Assumptions, console: Console) -> None:
    planned, full = _planned(assumed), ceilings(assumed)
    console.print(_table(("", "of it", "because"), rows_of(planned)))
    console.print(
        _table(
            ("full first", "at streams", "beyond it"), [(o.part, f"{o.streams:,}", o.remedy) for o in full]
        )
    )
    console.print("Measured on small machines and extrapolated: docs/scaling.md says from where and how far.")


def _print_json(parts: dict[str, Any]) -> None:
    _console().out(json.dumps(parts), highlight=False)


def _console() -> Console:
    return Console(markup=False, emoji=False)


def _planned(assumed: Assumptions) -> Plan:
    try:
        return plan_of(assumed)
    except ValueError as error:
        raise StackError(f"{error}.") from None


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table()
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
