"""Frames become rows: one frame, one insert, one token, and no row of it passes through Python."""

from pipelines.usage.adapters.clickhouse_client import ClickHouse
from pipelines.usage.domain.frame import Frame
from pipelines.usage.wire import STREAMS, field_names, insert_body, store_schema


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
        kind = frame.header.kind
        await self._clickhouse.insert_bytes(
            f"{self._database}.{STREAMS[kind].table}",
            field_names(kind),
            insert_body(frame),
            {
                "insert_deduplication_token": frame.token,
                # Asynchronous inserts would be acknowledged together and deduplicated by other rules.
                "async_insert": "0",
                "format_schema_source": "string",
                "format_schema": store_schema(kind),
                "format_schema_message_name": "Event",
            },
        )
