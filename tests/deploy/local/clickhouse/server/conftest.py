"""One front, without a socket."""

from collections.abc import AsyncIterator

import pytest

from tests.deploy.local.clickhouse.server.served import Served


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    made = Served()
    yield made
    await made.client.aclose()
    await made.runner.close()
