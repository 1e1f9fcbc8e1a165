"""A key that comes to the wrong region is told where it belongs, before anything of its request is read."""

from collections.abc import AsyncIterator

import httpx
import pytest

from services.edge.process import HttpSide
from services.edge.settings import HttpListen
from services.kernel.api_keys import make_key
from services.kernel.catalog import Catalog, Model, Region
from services.kernel.clock import SystemClock
from services.kernel.errors import Reason
from services.kernel.key_regions import KeyRegions
from tests.services.edge.conftest import LIMITS
from tests.services.edge.memory import MemoryGenerators, MemoryRouter, MemoryUsage
from tests.services.edge.scripts import RouterScript, UsageScript

FRANCE = Region(number=1, name="eu-fr")
GERMANY = Region(number=2, name="eu-de", base_url="https://de.example/v1")
TINY = Model(number=1, name="tiny-eu", context_tokens=1024, max_output_tokens=512)
GERMAN_KEY = make_key("eu-de", bytes(16))


@pytest.fixture
async def served() -> AsyncIterator[tuple[httpx.AsyncClient, UsageScript]]:
    usage = UsageScript()
    edge = HttpSide(
        LIMITS,
        HttpListen(port=0),
        SystemClock(),
        router=MemoryRouter(RouterScript([])),
        generators=MemoryGenerators({}),
        usage=MemoryUsage(usage),
        key_regions=KeyRegions(Catalog(models=(TINY,), regions=(FRANCE, GERMANY)), FRANCE),
    )
    await edge.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{edge.port}/v1", timeout=10) as client:
        yield client, usage
    await edge.drain()


@pytest.mark.parametrize("path", ["chat/completions", "completions", "embeddings", "responses", "tokenize"])
async def test_the_answer_has_the_right_base_url(
    served: tuple[httpx.AsyncClient, UsageScript], path: str
) -> None:
    client, usage = served
    headers = {"authorization": f"Bearer {GERMAN_KEY}"}
    # Not even JSON: it is not read.
    answer = await client.post(path, content=b"{", headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (421, "wrong_region")
    assert error["message"].endswith("https://de.example/v1")
    assert "x-should-retry" not in answer.headers
    assert usage.events[-1].reason is Reason.WRONG_REGION


async def test_models_are_listed_at_home_only(served: tuple[httpx.AsyncClient, UsageScript]) -> None:
    client, _ = served
    answer = await client.get("models", headers={"authorization": f"Bearer {GERMAN_KEY}"})
    assert answer.status_code == 421


async def test_a_key_with_a_typing_error_is_told_nothing(
    served: tuple[httpx.AsyncClient, UsageScript],
) -> None:
    client, _ = served
    mistyped = GERMAN_KEY[:-1] + ("0" if GERMAN_KEY[-1] != "0" else "1")
    answer = await client.get("models", headers={"authorization": f"Bearer {mistyped}"})
    assert answer.status_code == 401
    assert "example" not in answer.text
