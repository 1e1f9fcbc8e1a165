"""`comptoir plan`: how many of each process serve a load, by what was measured and what is assumed."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from deploy.local.stack.errors import StackError
from services.cli.administering import AsJson
from services.cli.capacity.assumptions import Assumptions
from services.cli.capacity.ceilings import ceilings
from services.cli.capacity.plan_rows import rows_of
from services.cli.capacity.sizing import plan as plan_of

_FIELDS = Assumptions.model_fields


def _about(name: str) -> str:
    return f"{_FIELDS[name].description}".replace("`", "")


def plan(  # noqa: PLR0913 - each assumption is an option
    *,
    streams: Annotated[int, typer.Option(help=_about("streams"))] = 1_000,
    tokens_per_second: Annotated[float, typer.Option(help=_about("tokens_per_second"))] = 30.0,
    output_tokens: Annotated[float, typer.Option(help=_about("output_tokens"))] = 300.0,
    streams_per_replica: Annotated[int, typer.Option(help=_about("streams_per_replica"))] = 100,
    idle_connections_per_stream: Annotated[
        float, typer.Option(help=_about("idle_connections_per_stream"))
    ] = 2.0,
    utilization: Annotated[float, typer.Option(help=_about("utilization"))] = 0.6,
    core_speed: Annotated[float, typer.Option(help=_about("core_speed"))] = 1.0,
    edge_connections: Annotated[int, typer.Option(help=_about("edge_connections"))] = 4_096,
    edge_memory_mebibytes: Annotated[int, typer.Option(help=_about("edge_memory_mebibytes"))] = 1_024,
    frame_events: Annotated[int, typer.Option(help=_about("frame_events"))] = 500,
    as_json: AsJson = False,
) -> None:
    """Say how many of each process serve a load, and what breaks first; nothing is asked or changed."""
    try:
        assumed = Assumptions(
            streams=streams,
            tokens_per_second=tokens_per_second,
            output_tokens=output_tokens,
            streams_per_replica=streams_per_replica,
            idle_connections_per_stream=idle_connections_per_stream,
            utilization=utilization,
            core_speed=core_speed,
            edge_connections=edge_connections,
            edge_memory_mebibytes=edge_memory_mebibytes,
            frame_events=frame_events,
        )
        planned = plan_of(assumed)
    except ValidationError as error:
        first = error.errors()[0]
        raise StackError(f"--{first['loc'][0]}: {first['msg']}.".replace("_", "-")) from None
    except ValueError as error:
        raise StackError(f"{error}.") from None
    full = ceilings(assumed)
    if as_json:
        document = {"assumed": assumed.model_dump(), "plan": dataclasses.asdict(planned)}
        Console().out(
            json.dumps(document | {"ceilings": [dataclasses.asdict(one) for one in full]}), highlight=False
        )
        return
    console = Console(markup=False, emoji=False)
    console.print(_table(("", "of it", "because"), rows_of(planned)))
    console.print(
        _table(
            ("full first", "at streams", "beyond it"), [(o.part, f"{o.streams:,}", o.remedy) for o in full]
        )
    )
    console.print("Measured on small machines and extrapolated: docs/scaling.md says from where and how far.")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table()
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
