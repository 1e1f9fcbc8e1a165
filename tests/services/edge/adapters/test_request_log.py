"""One line per request, with numbers only; and the client's own identity of it, where it is one."""

import json
from typing import Any

import httpx
import pytest

from services.kernel.errors import ComptoirError, Reason
from services.runtime import logs
from tests.services.edge.conftest import CHAT, Stage

CANARY = "canary-09fe"
GIVEN = "0F8FAD5B-D9CB-469F-A165-70867728950E"


@pytest.fixture(autouse=True)
def _logged() -> None:
    logs.configure("edge", "info")


def requests(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    said = capfd.readouterr().err
    assert CANARY not in said
    return [line for line in map(json.loads, said.splitlines()) if line["event"] == "request"]


async def test_a_request_leaves_one_line_of_counts_and_times(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    client = await stage.start()
    answer = await client.post("/v1/chat/completions", json={**CHAT, "user": CANARY})
    usage = answer.json()["usage"]
    (line,) = requests(capfd)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert (line["route"], line["http_status"], line["reason"]) == (
        "/v1/chat/completions",
        200,
        "UNSPECIFIED",
    )
    assert (line["input_tokens"], line["output_tokens"]) == (
        usage["prompt_tokens"],
        usage["completion_tokens"],
    )
    assert line["model_number"] > 0
    assert 0 < line["duration_seconds"] < 10
    assert "ttft_seconds" not in line


async def test_a_stream_s_line_says_when_its_first_text_came(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    client = await stage.start()
    await client.post("/v1/chat/completions", json={**CHAT, "stream": True})
    (line,) = requests(capfd)
    assert 0 < line["ttft_seconds"] <= line["duration_seconds"]


async def test_a_refusal_s_line_has_its_reason_and_nothing_of_the_request(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    stage.router.refusal = ComptoirError(Reason.MODEL_NOT_FOUND)
    client = await stage.start()
    await client.post("/v1/chat/completions", json={**CHAT, "model": CANARY})
    await client.get(f"/{CANARY}")
    (line,) = requests(capfd)
    assert (line["http_status"], line["reason"], line["model_number"]) == (404, "MODEL_NOT_FOUND", 0)


async def test_a_client_s_own_request_id_comes_back_and_is_in_the_line(
    stage: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    client = await stage.start()
    answer = await client.get("/v1/models", headers={"x-request-id": GIVEN})
    assert answer.headers["x-request-id"] == GIVEN
    (line,) = requests(capfd)
    assert line["client_request_id"] == GIVEN.replace("-", "").lower()
    assert line["request_id"] != line["client_request_id"]


@pytest.mark.parametrize("given", [[CANARY], ["0" * 32], [GIVEN, GIVEN], [""]])
async def test_a_request_id_that_could_be_text_is_neither_shown_nor_logged(
    stage: Stage, capfd: pytest.CaptureFixture[str], given: list[str]
) -> None:
    client = await stage.start()
    headers = httpx.Headers([("x-request-id", value) for value in given])
    answer = await client.get("/v1/models", headers=headers)
    (line,) = requests(capfd)
    assert answer.headers["x-request-id"] == line["request_id"]
    assert "client_request_id" not in line
