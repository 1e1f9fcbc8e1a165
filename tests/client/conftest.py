from pathlib import Path

import pytest

from tests.client.distributions import Installed, built_wheels, service_with


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each distribution's wheel by its name."""
    return built_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="session")
def installed(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An environment in which a service installed the client."""
    return service_with(wheels["comptoir-client"], tmp_path_factory.mktemp("service") / "venv")
