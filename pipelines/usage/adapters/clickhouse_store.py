"""Frames become rows: one frame, one insert, one token, and no row of it passes through Python."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from pipelines.usage.adapters.clickhouse_client import ClickHouse
from pipelines.usage.domain.frame import EventKey
from pipelines.usage.domain.ports import KindProgress, Letter
from pipelines.usage.wire import field_names, started_within, store_schema
from services.contract.events import Kind
from services.contract.frame import Frame, with_length


class ClickHouseStore:
    """The event tables of one database."""

    def __init__(self, clickhouse: ClickHouse, database: str) -> None:
        self._clickhouse = clickhouse
        self._database = database

    async def insert(self, frame: Frame) -> None:
        """Stores the frame's events; the same frame again changes nothing within the table's window.

        An insert is atomic within a day. Where a crash cuts a frame of two days in half, the same token
        brings the missing day and not the other: the store keeps tokens per partition.
        """
        kind = frame.kind
        await self._clickhouse.insert_bytes(
            f"{self._database}.{kind.table}",
            field_names(kind),
            with_length(frame.body),
            {
                "insert_deduplication_token": frame.token,
                # Asynchronous inserts would be acknowledged together and deduplicated by other rules.
                "async_insert": "0",
                # A frame is one block, so further threads find nothing to do.
                "max_threads": "1",
                "format_schema_source": "string",
                "format_schema": store_schema(kind),
                "format_schema_message_name": "Event",
            },
        )

    async def highest_sequence(self, kind: Kind, producer_id: int) -> int:
        """Returns the producer's highest sequence in the table, 0 where it has no row."""
        rows = await self._clickhouse.rows(
            f"SELECT max(producer_sequence) FROM {self._database}.{kind.table}"  # noqa: S608 - names of ours
            " WHERE producer_id = {producer:UInt64}",
            {"producer": producer_id},
        )
        return int(rows[0][0])

    async def stored_of(self, frame: Frame) -> AbstractSet[EventKey]:
        """Returns those of the frame's events that are rows; reads only days and granules of their time."""
        first_started, last_started = started_within(frame)
        rows = await self._clickhouse.rows(
            "SELECT producer_sequence, event_id_high, event_id_low"  # noqa: S608 - names of ours
            f" FROM {self._database}.{frame.kind.table}"
            " WHERE producer_id = {producer:UInt64}"
            " AND producer_sequence BETWEEN {first:UInt64} AND {last:UInt64}"
            " AND started_at BETWEEN fromUnixTimestamp64Micro({from:Int64}, 'UTC')"
            " AND fromUnixTimestamp64Micro({to:Int64}, 'UTC')",
            {
                "producer": frame.producer_id,
                "first": frame.first_sequence,
                "last": frame.last_sequence,
                "from": first_started,
                "to": last_started,
            },
        )
        return {EventKey(*map(int, row)) for row in rows}

    async def note_dead(self, kind: Kind, letter: Letter) -> None:
        """Keeps the letter's numbers; a letter that comes again is dropped by its token."""
        row = {"kind": int(kind), **letter.row}
        names = ", ".join(f"`{name}`" for name in row)
        values = ", ".join(f"{{{name}:UInt64}}" for name in row)
        await self._clickhouse.command(
            f"INSERT INTO {self._database}.dead_letters ({names})"
            f" SETTINGS async_insert = 0, insert_deduplication_token = '{letter.key.decode()}'"
            f" SELECT {values}",
            row,
        )

    async def note_progress(self, progress: Sequence[KindProgress]) -> None:
        """Inserts one row per kind, with the store's own time."""
        columns = {
            "kinds": [int(it.kind) for it in progress],
            "frames": [it.waiting_frames for it in progress],
            "oldest": [it.oldest_microseconds for it in progress],
            "reasons": [0 if it.pause is None else int(it.pause) for it in progress],
            "partitions": [it.pause_partition for it in progress],
            "offsets": [it.pause_offset for it in progress],
        }
        arrays = ", ".join(f"{{{name}:Array(UInt64)}}" for name in columns)
        await self._clickhouse.command(
            f"INSERT INTO {self._database}.pipeline_progress"  # noqa: S608 - names of ours
            " (kind, waiting_frames, oldest_waiting_microseconds, pause, pause_partition, pause_offset)"
            " SELECT it.1, it.2, it.3, it.4, it.5, it.6"
            f" FROM (SELECT arrayJoin(arrayZip({arrays})) AS it)",
            columns,
        )

    async def clock(self) -> int:
        """Returns what the store's clock reads, in microseconds."""
        rows = await self._clickhouse.rows("SELECT toUnixTimestamp64Micro(now64(6))")
        return int(rows[0][0])
