"""The store over the ClickHouse HTTP interface; the driver works in threads."""

import asyncio
import logging
import math
from typing import Any, Final

import clickhouse_connect
from clickhouse_connect.driver.exceptions import Error
from clickhouse_connect.driver.httputil import default_pool_manager

from services.console.adapters import store_questions as questions
from services.console.domain.completeness import Kind, Stored
from services.console.domain.errors import SourceAwayError
from services.console.domain.latency import Latencies, Latency
from services.console.domain.load import Load, Loads
from services.console.domain.spans import Span
from services.console.settings import StoreTarget
from services.runtime.addresses import is_loopback

# Unknown table, unknown database: the pipeline makes them at its first start.
_NOTHING_THERE_YET: Final = (60, 81)
_MICROSECONDS: Final = 1_000_000
_CONNECT_SECONDS: Final = 3
_ANSWER_SECONDS: Final = 20
# The store itself gives a question up that takes longer, so that none is left behind.
_SETTINGS: Final = {"max_execution_time": 15}


class ClickHouseStore:
    """One client, made when it is first asked and anew after a failure."""

    def __init__(self, target: StoreTarget) -> None:
        self._target = target
        self._password = target.password()
        self._client: Any = None
        self._connecting = asyncio.Lock()
        # Its word would stand beside our sentence.
        logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())

    async def latencies(self, span: Span) -> Latencies:
        """Returns how fast models answered."""
        asked = {"seconds": span.seconds, "step_seconds": span.step_seconds}
        models = await self._rows(questions.MODELS, {"seconds": span.seconds})
        steps = await self._rows(questions.STEPS, asked)
        return Latencies(tuple(map(_latency, models)), tuple(map(_latency, steps)))

    async def loads(self, span: Span) -> Loads:
        """Returns how busy engines were."""
        asked = {"seconds": span.seconds, "step_seconds": span.step_seconds}
        return Loads(tuple(map(_load, await self._rows(questions.LOADS, asked))))

    async def stored(self) -> Stored:
        """Returns whether all is there, and nothing for too long."""
        kinds = await self._rows(questions.KINDS, {})
        oldest = {row["kind"]: row for row in await self._rows(questions.OLDEST, {})}
        days = await self._rows(questions.RETENTION, {})
        return Stored(
            tuple(_kind(row, oldest.get(row["kind"], {})) for row in kinds),
            int(days[0]["days"] or 0) if days else 0,
        )

    async def close(self) -> None:
        """Closes the connections."""
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.close)

    async def _rows(self, query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        """Returns rows by column names; none where the pipeline has not made the table yet."""
        asked = {"database": self._target.database, **parameters}
        try:
            async with self._connecting:
                if self._client is None:
                    self._client = await asyncio.to_thread(self._connect)
            result = await asyncio.to_thread(self._client.query, query, parameters=asked, settings=_SETTINGS)
            return list(result.named_results())
        except Error as error:
            if error.code in _NOTHING_THERE_YET:
                return []
            await self.close()
            if error.code is None:
                raise SourceAwayError("The store does not answer.") from None
            raise SourceAwayError(
                f"The store refused the question with ClickHouse's error {error.code}."
            ) from None
        except OSError:
            await self.close()
            raise SourceAwayError("The store does not answer.") from None

    def _connect(self) -> Any:  # the driver is untyped
        target = self._target
        ca = {} if target.ca_file is None else {"ca_cert": str(target.ca_file)}
        # A proxy of the environment has no part in what stays on the machine.
        pool = {"pool_mgr": default_pool_manager()} if is_loopback(target.host) and not ca else {}
        user = {"username": target.user, "password": self._password.get_secret_value()} if target.user else {}
        return clickhouse_connect.get_client(
            dsn=target.url,
            autogenerate_session_id=False,
            connect_timeout=_CONNECT_SECONDS,
            send_receive_timeout=_ANSWER_SECONDS,
            **ca,
            **pool,
            **user,
        )


def _latency(row: dict[str, Any]) -> Latency:
    ttft, tps = row["ttft"], row["tps"]
    return Latency(
        model=row["model_name"],
        requests=row["requests"],
        output_tokens=row["tokens"],
        ttft_p50_seconds=_known(ttft[0], _MICROSECONDS),
        ttft_p95_seconds=_known(ttft[1], _MICROSECONDS),
        tps_p50=_known(tps[0]),
        tps_p95=_known(tps[1]),
        at_seconds=row["at"],
    )


def _known(value: float, divisor: int = 1) -> float | None:
    return None if math.isnan(value) else value / divisor


def _load(row: dict[str, Any]) -> Load:
    return Load(row["model_name"], row["at"], row["running"], row["waiting"], row["kv"])


def _kind(row: dict[str, Any], oldest: dict[str, Any]) -> Kind:
    return Kind(
        name=row["kind"],
        stored_rows=row["stored"],
        missing_rows=row["missing"],
        double_rows=row["doubles"],
        dead_rows=row["dead"],
        unreadable_frames=row["unreadable"],
        behind_seconds=row["behind"],
        paused_for=row["paused"] if row["paused"] != "none" else "",
        oldest_at_seconds=float(oldest.get("oldest", 0)),
        overdue_rows=oldest.get("overdue", 0),
    )
