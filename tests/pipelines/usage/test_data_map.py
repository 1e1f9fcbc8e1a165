"""docs/data-map.md names every column of every table, with its type, and every reason of a dead letter."""

import re
from pathlib import Path

import pytest

from pipelines.usage.domain.errors import Fault
from pipelines.usage.wire import BOUNDS
from services.contract.events import Kind
from tests.pipelines.usage.test_schema import columns_of

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "data-map.md").read_text(encoding="utf-8")


def section_of(table: str) -> list[list[str]]:
    content = re.search(rf"### `{table}`\n(.*?)(?=\n##|\Z)", PAGE, re.DOTALL)
    assert content, f"docs/data-map.md: a section `{table}`"
    rows = [line for line in content[1].splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@pytest.mark.parametrize("kind", list(Kind))
def test_every_column_is_on_the_page_in_order_with_its_type(kind: Kind) -> None:
    documented = [(name.strip("`"), column.split("(")[0]) for name, column, *_ in section_of(kind.table)]
    assert documented == [(name, column.split("(")[0]) for name, column in columns_of(kind).items()]


@pytest.mark.parametrize("kind", list(Kind))
def test_every_column_has_unit_meaning_writer_and_stay(kind: Kind) -> None:
    for row in section_of(kind.table):
        assert len(row) == 6
        assert all(row), row


def test_every_reason_of_a_dead_letter_is_on_the_page() -> None:
    found = dict(re.findall(r"^\| (\d+) \| `(\w+)` \|", PAGE, re.MULTILINE))
    assert found == {str(fault.value): fault.name.lower() for fault in Fault}


@pytest.mark.parametrize("kind", list(Kind))
def test_the_most_that_a_column_can_hold_is_on_the_page(kind: Kind) -> None:
    meanings = {name.strip("`"): meaning for name, _, _, meaning, *_ in section_of(kind.table)}
    for name, bounds in BOUNDS[kind].items():
        if (bounds.members is None and bounds.maximum < 2**32 - 1) or 2**32 <= bounds.maximum < 2**64 - 1:
            assert f"At most {bounds.maximum:,}." in meanings[name], name


@pytest.mark.parametrize("kind", list(Kind))
def test_every_count_has_a_bound_far_below_what_its_type_holds(kind: Kind) -> None:
    counts = ("_tokens", "_blocks", "_microseconds", "_requests", "_streams", "_bytes")
    for name, bounds in BOUNDS[kind].items():
        if name.endswith(counts) and name != "started_at_microseconds":
            assert bounds.maximum <= 2**50, name
            assert bounds.maximum <= 2**40 or name == "accelerator_free_bytes", name
