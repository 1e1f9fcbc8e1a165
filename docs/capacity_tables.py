"""The tables of docs/scaling.md, from the arithmetic of `comptoir plan`."""

from collections.abc import Iterator

from services.cli.capacity.assumptions import SIZES, Assumptions
from services.cli.capacity.ceilings import ceilings
from services.cli.capacity.costs import COSTS
from services.cli.capacity.plan_rows import rows_of
from services.cli.capacity.sizing import plan


def assumptions() -> Iterator[str]:
    """Yields what is taken for granted, each with its option of the command."""
    yield from ("", "| Assumption | Here | Option |", "|---|---|---|")
    for name, field in Assumptions.model_fields.items():
        here = ", ".join(f"{size:,}" for size in SIZES) if name == "streams" else f"{field.default:,g}"
        yield f"| {field.description} | {here} | `--{name.replace('_', '-')}` |"
    yield ""


def costs() -> Iterator[str]:
    """Yields what was measured, with where it stands and what it was measured at."""
    yield from ("", "| Cost | Value | Seen at | Source |", "|---|---|---|---|")
    for cost in COSTS:
        yield f"| {cost.meaning} | {_value(cost.value, cost.unit)} | {cost.measured_at} | {cost.source} |"
    yield ""


def plans() -> Iterator[str]:
    """Yields how many of each serve each size."""
    columns = [rows_of(plan(Assumptions(streams=size))) for size in SIZES]
    yield from (
        "",
        f"| | {' | '.join(f'{size:,} streams' for size in SIZES)} | From |",
        "|---|---|---|---|---|",
    )
    for cells in zip(*columns, strict=True):
        yield f"| {cells[0][0]} | {' | '.join(cell[1] for cell in cells)} | {cells[0][2]} |"
    yield ""


def first_to_break() -> Iterator[str]:
    """Yields what is full first as streams grow."""
    yield from ("", "| Full first | At streams | At output tokens/s | Beyond it |", "|---|---|---|---|")
    assumed = Assumptions()
    for one in ceilings(assumed):
        tokens = one.streams * assumed.tokens_per_second
        yield f"| {one.part} | {one.streams:,} | {tokens:,.0f} | {one.remedy} |"
    yield ""


def _value(value: float, unit: str) -> str:
    if unit != "s":
        return f"{value:,.0f} {unit}"
    return f"{1e6 * value:,.3g} µs"
