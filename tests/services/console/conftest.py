"""A whole console over sources of the test, asked as a browser asks it."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from services.console.server.application import Console
from services.console.server.guard import Guard
from services.console.server.pages import Pages
from services.console.server.trying import Trying
from services.console.server.views import Views
from services.console.settings import ConsoleSettings
from services.contract.sign_in_link import NONCE_BYTES, Moment
from services.kernel.clock import ManualClock
from tests.services.console.sources import MARKUP, Sources

SECRET = b"s" * 32
ORIGIN = "http://127.0.0.1:8414"
SETTINGS: dict[str, Any] = {
    "catalog": {
        "models": [
            {"number": 1, "name": "f3", "context_tokens": 512, "max_output_tokens": 64},
            {"number": 2, "name": MARKUP, "context_tokens": 512, "max_output_tokens": 64},
        ]
    },
    "listen": {"port": 8414},
    "is_open_to_this_machine": True,
    "admin": {"address": "unix:/run/admin.sock"},
    "edge": {"url": "http://127.0.0.1:8400"},
    "store": {"url": "http://127.0.0.1:8404"},
}
WITH_LINKS: dict[str, Any] = {"is_open_to_this_machine": False, "secret_file": "/run/secrets/console"}


@pytest.fixture
def sources() -> Sources:
    return Sources()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def browser(sources: Sources, clock: ManualClock) -> Callable[..., httpx.AsyncClient]:
    """Makes a client of a console with other settings; its requests are those of the console's own page."""

    def make(client: tuple[str, int] = ("127.0.0.1", 50_000), **changed: Any) -> httpx.AsyncClient:
        settings = ConsoleSettings.model_validate(SETTINGS | changed)
        secret = None if settings.secret_file is None else SECRET
        console = Console(
            Guard(settings, secret, clock),
            Views(sources, sources, sources, settings, clock),
            Pages(settings.catalog, settings.region),
            Trying(sources, most=1, seconds=30),
        )
        transport = httpx.ASGITransport(console.application(), client=client)
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={"Origin": ORIGIN})

    return make


async def token(client: httpx.AsyncClient, nonce: bytes = b"n" * NONCE_BYTES) -> str:
    """A link's token for the run that answers, good from now on."""
    moment = Moment.read((await client.get("/sign-in/moment")).text)
    assert moment is not None
    return moment.sign_in_token(SECRET, nonce)
