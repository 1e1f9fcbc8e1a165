"""A front on a fake engine, and a client of it."""

import asyncio
from collections.abc import Sequence

import httpx
from starlette.types import Message, Scope

from deploy.local.clickhouse.domain.credentials import Writer
from deploy.local.clickhouse.domain.errors import StoreError
from deploy.local.clickhouse.domain.limits import FrontLimits
from deploy.local.clickhouse.server.application import Front
from deploy.local.clickhouse.server.checker import StatementChecker
from deploy.local.clickhouse.server.runner import QueryRunner
from services.kernel.clock import ManualClock
from tests.fakes.clickhouse_engine import FakeConnection, FakeEngine

WRITER = Writer("comptoir_writer", "a-password-made-up")
LOGIN = (WRITER.name, WRITER.password)
NO_CODING = {"Accept-Encoding": "identity"}
FAILURE = StoreError.of_engine("Code: 395. DB::Exception: Thrown. (FUNCTION_THROW_IF_VALUE_IS_NON_ZERO)")
SCOPE: Scope = {
    "type": "http",
    "method": "POST",
    "path": "/",
    "query_string": b"",
    "headers": [(b"host", b"localhost")],
    "root_path": "",
}
# Some are smaller than a person may set them.
LIMITS = FrontLimits(
    max_concurrent_queries=2,
    max_writer_queries=1,
    max_waiting_queries=2,
    max_wait_seconds=5.0,
    max_sessions=2,
).model_copy(update={"max_query_bytes": 1000, "max_insert_bytes": 10_000, "max_temporary_bytes": 1000})


class Served:
    def __init__(
        self,
        pieces: Sequence[bytes | StoreError] = (b"1\n",),
        *,
        body_seconds: float = 5.0,
        write_seconds: float = 5.0,
        answer_seconds: float = 5.0,
    ) -> None:
        self.engine = FakeEngine(pieces, tables=["t"])
        clock = ManualClock()
        limits = LIMITS.model_copy(
            update={
                "body_seconds": body_seconds,
                "write_seconds": write_seconds,
                "max_execution_seconds": answer_seconds,
            }
        )
        checker = StatementChecker(self.engine, max_query_bytes=1000)
        self.runner = QueryRunner(
            self.engine,
            checker,
            clock,
            limits,
        )
        front = Front(
            self.engine,
            self.runner,
            WRITER,
            limits,
            clock,
        )
        self.application = front.application()
        transport = httpx.ASGITransport(self.application)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=NO_CODING)

    @property
    def connection(self) -> FakeConnection:
        return self.engine.opened[-1][2]


async def never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError
