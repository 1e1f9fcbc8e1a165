import openai
import pytest

from services.edge.domain.ports import Model, Retirement
from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.conftest import CHAT, PATH, STREAM, Stage
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


async def test_a_retired_name_is_found_with_word_of_its_successor(stage: Stage) -> None:
    stage.router.models += (Model("old/one", "tiny-eu", 1, 4096, 1024, Retirement(1_780_000_000)),)
    client = await stage.start()
    found = await client.get("/v1/models/old/one")
    assert (found.json()["id"], found.json()["root"]) == ("old/one", "tiny-eu")
    assert found.headers["deprecation"] == "@1780000000"
    assert found.headers["link"] == '</v1/models/tiny-eu>; rel="successor-version"'
    assert "deprecation" not in (await client.get("/v1/models/tiny-eu")).headers


@pytest.mark.parametrize("body", [CHAT, STREAM])
async def test_an_answer_says_which_model_it_is_of_and_that_its_name_is_retired(
    stage: Stage, body: dict[str, object]
) -> None:
    stage.router.model_name = "org/tiny-eu"
    stage.router.retirement = Retirement(1_780_000_000, 1_800_000_000)
    client = await stage.start()
    answer = await client.post(PATH, json=body)
    assert '"model":"org/tiny-eu"' in answer.text
    assert '"model":"tiny-eu"' not in answer.text
    assert answer.headers["deprecation"] == "@1780000000"
    assert answer.headers["sunset"] == "Fri, 15 Jan 2027 08:00:00 GMT"
    assert answer.headers["link"] == '</v1/models/org/tiny-eu>; rel="successor-version"'


@pytest.mark.parametrize("name", [None, "", "default"])
async def test_a_request_without_a_name_is_answered_by_the_model_that_the_router_chose(
    stage: Stage, name: str | None
) -> None:
    stage.router.model_name = "tiny-eu"
    client = await stage.start()
    answer = await client.post(PATH, json={**CHAT, "model": name})
    assert answer.json()["model"] == "tiny-eu"
    assert "deprecation" not in answer.headers


async def test_a_request_has_to_name_a_model_where_the_router_has_no_default(stage: Stage) -> None:
    stage.router.refusal = ComptoirError(Reason.REQUEST_INVALID, field="model")
    client = await stage.start()
    answer = await client.post(PATH, json={**CHAT, "model": ""})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")
