"""Tells the store what the operator declares for the views of cost and of service levels."""

from datetime import UTC, datetime

from pipelines.usage.adapters.clickhouse_client import ClickHouse
from pipelines.usage.domain.gpu_prices import PriceRow, rows_to_add
from pipelines.usage.domain.rules import Rules
from pipelines.usage.settings import ClickHouseSettings
from services.kernel.clock import Clock
from services.runtime.logs import get_logger

_log = get_logger(__name__)


class ClickHouseDeclared:
    """The price list, which only ever grows, and the target of the time to first token."""

    def __init__(self, clickhouse: ClickHouse, settings: ClickHouseSettings, clock: Clock) -> None:
        self._clickhouse = clickhouse
        self._database = settings.database
        self._engine = settings.engine
        self._clock = clock

    async def apply(self, rules: Rules, currency: str) -> None:
        """Adds prices that are new and replaces the target; the tables are those of the migrations."""
        await self._replace_target(rules.ttft_p95_target_seconds)
        if not rules.gpu_prices:
            return
        now = datetime.fromtimestamp(self._clock.wall_microseconds() // 1_000_000, UTC)
        added = rows_to_add(rules.gpu_prices, await self.prices(), now, currency)
        for row in added:
            await self._add(row)
        if added:
            _log.info("gpu_prices_added", count=len(added))

    async def prices(self) -> tuple[PriceRow, ...]:
        """Returns what is in the store, one row per class and moment."""
        rows = await self._clickhouse.rows(
            "SELECT gpu_class, argMax(name, written_at), argMax(nanos_per_hour, written_at),"  # noqa: S608 - ours
            " argMax(currency, written_at), toUnixTimestamp(since)"
            f" FROM {self._database}.gpu_prices GROUP BY gpu_class, since"
        )
        return tuple(
            PriceRow(int(number), str(name), int(nanos), str(unit), datetime.fromtimestamp(int(since), UTC))
            for number, name, nanos, unit, since in rows
        )

    async def _add(self, row: PriceRow) -> None:
        await self._clickhouse.command(
            f"INSERT INTO {self._database}.gpu_prices (gpu_class, name, nanos_per_hour, currency, since)"
            " SELECT {gpu_class:UInt16}, {name:String}, {nanos:UInt64}, {currency:String},"
            " toDateTime({since:UInt32}, 'UTC')",
            {
                "gpu_class": row.gpu_class,
                "name": row.name,
                "nanos": row.nanos_per_hour,
                "currency": row.currency,
                "since": int(row.since.timestamp()),
            },
        )

    async def _replace_target(self, seconds: float) -> None:
        await self._clickhouse.command(
            f"CREATE OR REPLACE TABLE {self._database}.catalog_targets (ttft_p95_seconds Float64)"
            f" ENGINE = {self._engine} ORDER BY ttft_p95_seconds AS"
            " SELECT {seconds:Float64} AS ttft_p95_seconds",
            {"seconds": seconds},
        )
