"""One running router per test that asks for one, and one PostgreSQL server for all of a run."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.router.settings import RouterSettings
from tests.fakes.running_router import RunningRouter, running_router, settings_in
from tests.postgres import Database, PostgresServer, postgres_server


@pytest.fixture
def router_settings(tmp_path: Path) -> RouterSettings:
    return settings_in(tmp_path)


@pytest.fixture
async def running(router_settings: RouterSettings) -> AsyncIterator[RunningRouter]:
    async with running_router(router_settings) as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[Database]:
    with postgres.database() as database:
        yield database
