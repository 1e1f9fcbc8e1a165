"""Questions to the store, over the ClickHouse HTTP interface as any analyst's client asks them."""

import logging
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from deploy.local.stack.errors import StackError
from services.runtime.addresses import is_loopback

# Unknown table, unknown database: the pipeline makes them at its first start.
_NOTHING_THERE_YET: Final = (60, 81)

# What was asked and what became of it have one identity; without the second row nobody knows the outcome.
_ACTS: Final = """
SELECT
    min(started_at) AS at,
    toString(any(caller_kind)) AS caller_kind,
    any(caller) AS caller,
    toString(any(act)) AS act,
    toString(any(subject)) AS subject,
    max(subject_number) AS subject_number,
    multiIf(countIf(stage = 'done') > 0, 'done', countIf(stage = 'refused') > 0, 'refused', 'not known')
        AS outcome,
    anyIf(toString(reason), stage = 'refused') AS reason,
    max(greatest(requests, 1)) AS requests
FROM comptoir.admin_acts
WHERE started_at > now64(6) - toIntervalSecond({seconds:UInt32})
    AND toStartOfDay(started_at) + toIntervalDay((SELECT max(retention_days) FROM comptoir.catalog_retention))
        > now()
GROUP BY request_id_high, request_id_low
ORDER BY at DESC
"""


# As the view latency_by_hour has it for each class.
_LATENCY_OF_ALL_CLASSES: Final = """
SELECT region, model, toStartOfHour(started_at) AS hour, count() AS requests,
    arrayMap(
        one -> if(isNaN(one), NULL, one),
        quantilesTDigestIf(0.5, 0.95, 0.99)(assumeNotNull(ttft_seconds), ttft_seconds IS NOT NULL)
    ) AS ttft,
    arrayMap(
        one -> if(isNaN(one), NULL, one),
        quantilesTDigestIf(0.5, 0.95)(1 / assumeNotNull(tpot_seconds), tpot_seconds IS NOT NULL)
    ) AS tps,
    ttft[1] AS ttft_p50_seconds, ttft[2] AS ttft_p95_seconds, ttft[3] AS ttft_p99_seconds,
    tps[1] AS tps_per_request_p50, tps[2] AS tps_per_request_p95
FROM comptoir.measured_generations
WHERE is_whole AND started_at >= toStartOfHour(now() - toIntervalHour({hours:UInt32} - 1))
GROUP BY region, model, hour
"""

_PRICES: Final = """
SELECT gpu, currency, price_per_hour
FROM comptoir.gpu_price_list
WHERE since <= now()
ORDER BY gpu_class, since DESC
LIMIT 1 BY gpu_class
"""


class Store:
    """The store at `url`, read with the rights that everyone has."""

    def __init__(self, url: str) -> None:
        """Takes the URL as it is; StackError if it cannot be one."""
        try:
            where = urlsplit(url)
            # Without the user and password that a URL may hold.
            self._is_here = where.scheme == "http" and is_loopback(where.hostname or "")
            self._shown = f"{where.hostname}:{where.port}" if where.port else f"{where.hostname}"
        except ValueError:
            raise StackError("The URL of the store must be like http://127.0.0.1:8404.") from None
        self._url = url
        # Without a handler of its own the library's word would stand beside our sentence.
        logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())

    def latency_by_hour(self, columns: tuple[str, ...], hours: int) -> list[dict[str, Any]]:
        """Latency by region, model and hour, of all classes together, of the last `hours` hours."""
        names = ", ".join(columns)
        query = (
            f"SELECT {names} FROM ({_LATENCY_OF_ALL_CLASSES}) "  # noqa: S608 - names are our own
            "ORDER BY hour DESC, region, model"
        )
        return self.rows(query, {"hours": hours})

    def price_list(self) -> list[dict[str, Any]]:
        """Prices of GPU classes that are in force, with the name of each."""
        return self.rows(_PRICES, {})

    def acts(self, seconds: int) -> Iterator[dict[str, Any]]:
        """Yields acts of operators of the last `seconds`, newest first: what was asked with its outcome."""
        return self._stream(_ACTS, {"seconds": seconds})

    def lag(self) -> dict[str, Any] | None:
        """Returns until when the store has every generation, and by how much that is past; or None."""
        query = "SELECT stored_until, behind_seconds, paused_for FROM comptoir.pipeline_lag"
        return next(iter(self.rows(f"{query} WHERE kind = 'generation'", {})), None)

    def rows(self, query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """Rows of a query by their names; none where the pipeline has not made the view yet."""
        return list(self._stream(query, parameters))

    def _stream(self, query: str, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yields rows by column names as they come; none where the pipeline has not made the table yet."""
        import clickhouse_connect  # noqa: PLC0415 - takes half a second, which no other command needs
        from clickhouse_connect.driver.exceptions import Error  # noqa: PLC0415
        from clickhouse_connect.driver.httputil import default_pool_manager  # noqa: PLC0415

        # A proxy of the environment has no part in what stays on the machine.
        pool = default_pool_manager() if self._is_here else None
        try:
            with (
                clickhouse_connect.get_client(dsn=self._url, pool_mgr=pool) as client,
                client.query_rows_stream(query, parameters=parameters) as rows,
            ):
                names = rows.source.column_names
                yield from (dict(zip(names, row, strict=True)) for row in rows)
        except Error as error:
            if error.code in _NOTHING_THERE_YET:
                return
            raise StackError(self._sentence(error.code)) from None
        except OSError:
            raise StackError(self._sentence(None)) from None

    def _sentence(self, code: int | None) -> str:
        if code is None:
            return f"The store at {self._shown} did not answer; is it running? `comptoir status` tells."
        return f"The store at {self._shown} refused the question with ClickHouse's error {code}."
