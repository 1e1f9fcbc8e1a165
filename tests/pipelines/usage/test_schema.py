"""The SQL files say the same as the messages: every field has its column, and no column could hold text."""

import re

import pytest
from google.protobuf.descriptor import EnumDescriptor, FieldDescriptor

from pipelines.usage.adapters.clickhouse_schema import read_migrations
from pipelines.usage.domain.errors import Fault
from pipelines.usage.domain.migrations import due
from pipelines.usage.wire import BOUNDS
from services.contract.events import Kind
from services.runtime.event_messages import EVENT_TYPES

PARAMETERS = {
    "database": "comptoir",
    "engine": "MergeTree",
    "deduplication_window": "non_replicated_deduplication_window = 10000",
    "retention_days": "30",
}
STORE_COLUMNS = {"started_at": "DateTime64(6, 'UTC')", "ingested_at": "DateTime64(3, 'UTC')"}
WIDTHS = {"UInt8": 2**8, "UInt16": 2**16, "UInt32": 2**32, "UInt64": 2**64}
PREFIXES = {
    "Outcome": "OUTCOME_",
    "Decision": "DECISION_",
    "Endpoint": "ENDPOINT_",
    "ErrorReason": "ERROR_REASON_",
}


def table_of(kind: Kind) -> str:
    name = kind.table
    statements = [text for migration in read_migrations() for text in migration.statements(PARAMETERS)]
    return next(
        text for text in statements if text.startswith(f"CREATE TABLE IF NOT EXISTS comptoir.{name}\n")
    )


def columns_of(kind: Kind) -> dict[str, str]:
    definition = re.search(r"\n\(\n(.*)\n\)\n", table_of(kind), re.DOTALL)
    assert definition
    lines = re.split(r",\n(?=    \w)", definition[1])
    pairs = (line.strip().split(" ", 1) for line in lines if "CONSTRAINT" not in line)
    return {name: " ".join(rest.split()) for name, rest in [*pairs, *changes_of(kind)]}


def changes_of(kind: Kind) -> list[list[str]]:
    """Names and types of the columns that later migrations changed, in their order."""
    change = f"ALTER TABLE comptoir.{kind.table} MODIFY COLUMN "
    statements = [text for migration in read_migrations() for text in migration.statements(PARAMETERS)]
    return [text.removeprefix(change).split(" ", 1) for text in statements if text.startswith(change)]


def members_of(column: str) -> dict[int, str]:
    return {int(number): name for name, number in re.findall(r"'(\w+)' = (\d+)", column)}


def names_of(enum: EnumDescriptor) -> dict[int, str]:
    names = {it.number: it.name.removeprefix(PREFIXES[enum.name]).lower() for it in enum.values}
    names[0] = {"Endpoint": "other", "ErrorReason": "none"}.get(enum.name, "")
    return {number: name for number, name in names.items() if name}


@pytest.mark.parametrize("kind", list(Kind))
def test_a_table_has_the_fields_of_its_message_in_order_and_two_columns_of_the_store(kind: Kind) -> None:
    fields = [field.name for field in EVENT_TYPES[kind].DESCRIPTOR.fields]
    assert list(columns_of(kind)) == [*fields, *STORE_COLUMNS]


@pytest.mark.parametrize("kind", list(Kind))
def test_every_column_takes_every_value_that_its_field_admits(kind: Kind) -> None:
    columns = columns_of(kind)
    for field in EVENT_TYPES[kind].DESCRIPTOR.fields:
        column = columns[field.name]
        if field.enum_type is not None:
            assert column.startswith("Enum8(")
            assert members_of(column) == names_of(field.enum_type), field.name
        elif field.type == FieldDescriptor.TYPE_BOOL:
            assert column == "Bool"
        else:
            bounds = BOUNDS[kind].get(field.name)
            widest = 2**32 if field.type == FieldDescriptor.TYPE_UINT32 else 2**64
            assert WIDTHS[column] >= (min(bounds.maximum + 1, widest) if bounds else widest), field.name


@pytest.mark.parametrize("kind", list(Kind))
def test_no_column_could_hold_text(kind: Kind) -> None:
    for name, column in columns_of(kind).items():
        assert column.startswith(("UInt", "Enum8(", "Bool", "DateTime64(")), name


@pytest.mark.parametrize("kind", list(Kind))
def test_every_event_table_expires_by_the_day_and_knows_its_tokens(kind: Kind) -> None:
    text = table_of(kind)
    assert "PARTITION BY toDate(started_at)\n" in text
    assert "TTL toStartOfDay(started_at) + toIntervalDay(30)\n" in text
    assert "ttl_only_drop_parts = 1" in text
    assert "non_replicated_deduplication_window = 10000" in text


def test_the_files_are_numbered_without_gaps() -> None:
    assert len(due(read_migrations(), {})) == len(read_migrations())


def test_every_statement_can_be_repeated() -> None:
    repeatable = re.compile(
        r"CREATE TABLE IF NOT EXISTS |CREATE OR REPLACE VIEW |ALTER TABLE \S+ MODIFY COLUMN "
    )
    for migration in read_migrations():
        for statement in migration.statements(PARAMETERS):
            assert repeatable.match(statement), statement


@pytest.mark.parametrize("table", ["dead_letters", "pipeline_progress"])
def test_every_fault_can_be_written_down(table: str) -> None:
    statements = [text for migration in read_migrations() for text in migration.statements(PARAMETERS)]
    text = next(
        text for text in statements if text.startswith(f"CREATE TABLE IF NOT EXISTS comptoir.{table}\n")
    )
    faults = re.search(r"(?:reason|pause) Enum8\((.*?)\)", text, re.DOTALL)
    assert faults
    assert members_of(faults[1]) == {0: "none", **{fault.value: fault.name.lower() for fault in Fault}}
