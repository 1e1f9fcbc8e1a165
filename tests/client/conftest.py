from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.client.distributions import Installed, built_wheels, service_with
from tests.client.stage import CALLERS, Caller, Stage

NewCaller = Callable[..., Caller]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each distribution's wheel by its name."""
    return built_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def installed(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An environment in which a service installed the client."""
    return service_with(wheels["comptoir-client"], tmp_path_factory.mktemp("service") / "venv")


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """A router and replicas that a test starts."""
    stage = Stage(tmp_path)
    yield stage
    await stage.stop()


@pytest.fixture(params=sorted(CALLERS))
async def new_caller(request: pytest.FixtureRequest, stage: Stage) -> AsyncIterator[NewCaller]:
    """Makes callers of the stage's router with one of the two clients; a test holds for both."""
    closes: list[Callable[[], Awaitable[None]]] = []

    def make(**options: Any) -> Caller:
        caller = CALLERS[request.param](stage.address, **options)
        closes.append(caller.close)
        return caller

    yield make
    for close in closes:
        await close()


@pytest.fixture
def caller(new_caller: NewCaller) -> Caller:
    """A caller with the client's own bounds."""
    return new_caller()
