"""The tables say the same as the messages: every field has its column, and no column could hold text."""

import re

import pytest
from google.protobuf.descriptor import FieldDescriptor

from pipelines.usage import wire
from pipelines.usage.adapters.clickhouse_client import ClickHouse
from pipelines.usage.adapters.clickhouse_schema import read_migrations
from pipelines.usage.adapters.clickhouse_tables import EventTables
from pipelines.usage.domain.columns import widened
from pipelines.usage.domain.migrations import due
from pipelines.usage.wire import BOUNDS
from services.contract.events import Kind
from services.kernel.reasons import Reason
from services.runtime.event_messages import EVENT_TYPES

PARAMETERS = {
    "database": "comptoir",
    "engine": "MergeTree",
    "deduplication_window": "non_replicated_deduplication_window = 10000",
    "retention_days": "30",
}
STORE_COLUMNS = {
    "started_at": "DateTime64(6, 'UTC')"
    " MATERIALIZED fromUnixTimestamp64Micro(toInt64(started_at_microseconds), 'UTC')",
    "ingested_at": "DateTime64(3, 'UTC') MATERIALIZED now64(3, 'UTC')",
}
WIDTHS = {"UInt8": 2**8, "UInt16": 2**16, "UInt32": 2**32, "UInt64": 2**64}


# The kinds whose tables a numbered file made, before tables followed the messages.
OLDEST = [kind for kind in Kind if kind <= Kind.REPLICA_LOAD]


class NoStore(ClickHouse):
    """Definitions are made without one."""

    def __init__(self) -> None:
        pass


def definition_of(kind: Kind) -> str:
    tables = EventTables(NoStore(), "comptoir", engine="MergeTree", window=PARAMETERS["deduplication_window"])
    return tables.definition(kind, 30)


def statements() -> list[str]:
    return [text for migration in read_migrations() for text in migration.statements(PARAMETERS)]


def oldest_table_of(kind: Kind) -> str:
    begin = f"CREATE TABLE IF NOT EXISTS comptoir.{kind.table}\n"
    return next(text for text in statements() if text.startswith(begin))


def columns_of_the_files(kind: Kind) -> dict[str, str]:
    """The columns of a table that a numbered file made, with those that later ones add."""
    columns = list(columns_in(oldest_table_of(kind)).items())
    added = rf"ALTER TABLE comptoir\.{kind.table}\s+ADD COLUMN IF NOT EXISTS (\w+) (.+) AFTER (\w+)"
    for name, column, before in re.findall(added, "\n".join(statements())):
        columns.insert([known for known, _ in columns].index(before) + 1, (name, column))
    return dict(columns)


def columns_in(table: str) -> dict[str, str]:
    definition = re.search(r"\n\(\n(.*)\n\)\n", table, re.DOTALL)
    assert definition
    lines = re.split(r",\n(?=    \w)", definition[1])
    pairs = (line.strip().split(" ", 1) for line in lines if "CONSTRAINT" not in line)
    return {name: " ".join(rest.split()).replace("( ", "(").replace(" )", ")") for name, rest in pairs}


def columns_of(kind: Kind) -> dict[str, str]:
    """The columns of the kind's table as the store has them at the end."""
    return {**wire.columns_of(kind), **STORE_COLUMNS}


def members_of(column: str) -> dict[int, str]:
    return {int(number): name for name, number in re.findall(r"'(\w+)' = (\d+)", column)}


@pytest.mark.parametrize("kind", list(Kind))
def test_a_table_has_the_fields_of_its_message_in_order_and_two_columns_of_the_store(kind: Kind) -> None:
    fields = [field.name for field in EVENT_TYPES[kind].DESCRIPTOR.fields]
    assert list(columns_in(definition_of(kind))) == [*fields, *STORE_COLUMNS]


@pytest.mark.parametrize("kind", OLDEST)
def test_a_table_that_a_numbered_file_made_is_widened_to_what_the_messages_want(kind: Kind) -> None:
    oldest, wanted = columns_of_the_files(kind), columns_in(definition_of(kind))
    assert list(oldest) == list(wanted)
    assert {name: widened(name, column, wanted[name]) for name, column in oldest.items()} == wanted


@pytest.mark.parametrize("kind", OLDEST)
def test_a_table_that_is_made_of_a_message_keeps_and_expires_rows_as_those_of_the_files(kind: Kind) -> None:
    def rest(text: str) -> list[str]:
        lines = text[text.index("ENGINE = ") :].splitlines()
        return [line for line in lines if not line.startswith("ORDER BY")]

    assert rest(definition_of(kind)) == rest(oldest_table_of(kind))
    assert "CONSTRAINT is_counted CHECK producer_sequence > 0 AND region > 0" in definition_of(kind)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_column_takes_every_value_that_its_field_admits(kind: Kind) -> None:
    columns = columns_of(kind)
    for field in EVENT_TYPES[kind].DESCRIPTOR.fields:
        column = columns[field.name]
        bounds = BOUNDS[kind].get(field.name)
        if field.enum_type is not None:
            assert bounds
            assert column.startswith("Enum8(")
            assert frozenset(members_of(column)) == bounds.members
        elif field.type == FieldDescriptor.TYPE_BOOL:
            assert column == "Bool"
        else:
            widest = 2**32 if field.type == FieldDescriptor.TYPE_UINT32 else 2**64
            assert WIDTHS[column] >= (min(bounds.maximum + 1, widest) if bounds else widest), field.name


def test_every_reason_has_the_name_of_the_kernel() -> None:
    for kind in (Kind.ADMISSION, Kind.GENERATION, Kind.EDGE_REQUEST):
        assert members_of(columns_of(kind)["reason"]) == {int(it): it.sql_name for it in Reason}


@pytest.mark.parametrize("kind", list(Kind))
def test_no_column_could_hold_text(kind: Kind) -> None:
    for name, column in columns_of(kind).items():
        assert column.startswith(("UInt", "Enum8(", "Bool", "DateTime64(")), name


@pytest.mark.parametrize("kind", list(Kind))
def test_every_event_table_expires_by_the_day_and_knows_its_tokens(kind: Kind) -> None:
    text = definition_of(kind)
    assert "PARTITION BY toDate(started_at)\n" in text
    assert "TTL toStartOfDay(started_at) + toIntervalDay(30)\n" in text
    assert "ttl_only_drop_parts = 1" in text
    assert "non_replicated_deduplication_window = 10000" in text


def test_the_files_are_numbered_without_gaps() -> None:
    assert len(due(read_migrations(), {})) == len(read_migrations())


def test_every_statement_can_be_repeated() -> None:
    repeatable = re.compile(
        r"CREATE TABLE IF NOT EXISTS |CREATE OR REPLACE VIEW |"
        r"ALTER TABLE \S+\s+(MODIFY COLUMN|ADD COLUMN IF NOT EXISTS) "
    )
    for migration in read_migrations():
        for statement in migration.statements(PARAMETERS):
            assert repeatable.match(statement), statement
