import openai
import pytest

from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.conftest import CHAT, Stage
from tests.services.edge.scripts import GOOD_KEY


async def test_the_sdk_lists_and_finds_models(stage: Stage) -> None:
    await stage.start()
    async with openai.AsyncOpenAI(api_key=GOOD_KEY, base_url=f"{stage.url}/v1", max_retries=0) as client:
        listed = [model.id async for model in client.models.list()]
        found = await client.models.retrieve("org/tiny-eu")
        with pytest.raises(openai.NotFoundError) as raised:
            await client.models.retrieve("unknown")
    assert listed == ["org/tiny-eu", "tiny-eu"]
    assert (found.id, found.object, found.created) == ("org/tiny-eu", "model", 1_790_000_000)
    assert raised.value.code == "model_not_found"
    await stage.drain()
    events = stage.emitter.events
    assert [(event.endpoint, event.http_status) for event in events] == [(2, 200), (2, 200), (2, 404)]
    assert [event.reason for event in events] == [0, 0, Reason.MODEL_NOT_FOUND]
    assert all(event.duration_microseconds > 0 for event in events)


@pytest.mark.parametrize("base", ["/v1", "/v1/", "", "/", "/v1/v1", "/v1//", "//v1"])
async def test_a_base_url_may_have_a_slash_or_a_version_too_many_or_too_few(stage: Stage, base: str) -> None:
    await stage.start()
    async with openai.AsyncOpenAI(api_key=GOOD_KEY, base_url=f"{stage.url}{base}", max_retries=0) as client:
        assert [model.id async for model in client.models.list()] == ["org/tiny-eu", "tiny-eu"]
        assert (await client.models.retrieve("org/tiny-eu")).id == "org/tiny-eu"
        answer = await client.chat.completions.create(**CHAT)
    assert answer.choices[0].message.content == "Bonjour !"
    await stage.drain()
    assert [event.endpoint for event in stage.emitter.events] == [2, 2, 1]


async def test_a_wrong_key_sees_no_models(stage: Stage) -> None:
    stage.router.refusal = ComptoirError(Reason.KEY_INVALID)
    client = await stage.start()
    assert (await client.get("/v1/models")).status_code == 401
    assert (await client.get("/v1/models", headers={"authorization": ""})).status_code == 401
