"""One running router per test that asks for one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.router.settings import RouterSettings
from tests.fakes.running_router import RunningRouter, running_router, settings_in


@pytest.fixture
def router_settings(tmp_path: Path) -> RouterSettings:
    return settings_in(tmp_path)


@pytest.fixture
async def running(router_settings: RouterSettings) -> AsyncIterator[RunningRouter]:
    async with running_router(router_settings) as running:
        yield running
