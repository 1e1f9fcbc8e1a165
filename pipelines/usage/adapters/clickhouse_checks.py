"""What the store says of itself: what is missing, what is there twice, and what is there for too long."""

from typing import Final

from pipelines.usage.adapters.clickhouse_client import ClickHouse
from pipelines.usage.domain.ports import StoreCheck
from services.contract.events import Kind

_DAY_SECONDS: Final = 86_400
# Within an hour a request may be under way.
_FROM_SECONDS: Final = _DAY_SECONDS
_TO_SECONDS: Final = 3_600


class ClickHouseChecks:
    """Reads the views of completeness and the oldest event of each kind; UnavailableError where it cannot."""

    def __init__(self, clickhouse: ClickHouse, database: str) -> None:
        self._clickhouse = clickhouse
        self._database = database

    async def check(self, retention_days: int) -> StoreCheck:
        """Returns what is there now."""
        missing, double = await self._completeness()
        overdue = {kind: await self._overdue_seconds(kind, retention_days) for kind in Kind}
        return StoreCheck(missing, double, overdue, await self._unended())

    async def _completeness(self) -> tuple[dict[Kind, int], dict[Kind, int]]:
        rows = await self._clickhouse.rows(
            "SELECT kind, sum(greatest(toInt64(missing_rows), 0)), sum(toInt64(double_rows))"  # noqa: S608
            f" FROM {self._database}.completeness GROUP BY kind"
        )
        by_label = {str(label): (int(missing), int(double)) for label, missing, double in rows}
        found = {kind: by_label.get(kind.label, (0, 0)) for kind in Kind}
        return (
            {kind: missing for kind, (missing, _) in found.items()},
            {kind: double for kind, (_, double) in found.items()},
        )

    async def _overdue_seconds(self, kind: Kind, retention_days: int) -> float:
        # The table and no view: what has expired is unreadable there at once. The column is that of the
        # partitions, so that their bounds answer.
        rows = await self._clickhouse.rows(
            "SELECT count(), toUnixTimestamp(now())"  # noqa: S608 - names of ours
            " - toUnixTimestamp(toStartOfDay(min(started_at)) + toIntervalDay({days:UInt16}))"
            f" FROM {self._database}.{kind.table}",
            {"days": retention_days},
        )
        count, overdue_seconds = rows[0]
        return float(max(0, int(overdue_seconds))) if int(count) else 0.0

    async def _unended(self) -> int:
        rows = await self._clickhouse.rows(
            f"SELECT uniqExact(request_id_high, request_id_low) FROM {self._database}.admissions"  # noqa: S608
            " WHERE decision = 'admitted'"
            " AND started_at BETWEEN now64(6) - toIntervalSecond({from:UInt32})"
            " AND now64(6) - toIntervalSecond({to:UInt32})"
            " AND (request_id_high, request_id_low) NOT IN"
            f" (SELECT request_id_high, request_id_low FROM {self._database}.generations"
            " WHERE started_at > now64(6) - toIntervalSecond({from:UInt32} + {to:UInt32}))",
            {"from": _FROM_SECONDS, "to": _TO_SECONDS},
        )
        return int(rows[0][0])
