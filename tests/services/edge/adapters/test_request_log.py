"""One line per request, with numbers only; and the client's own identity of it, where it is one."""

import json
from typing import Any

import httpx
import pytest

from services.edge.adapters.request_log import RequestLog
from services.edge.domain.timeline import EdgeRequest, Endpoint
from services.kernel.errors import ComptoirError, Reason
from services.kernel.identity import Identity
from services.runtime import logs
from tests.services.edge.conftest import CHAT, Stage
from tests.services.runtime.metrics.collecting import collected

CANARY = "canary-09fe"
GIVEN = "0F8FAD5B-D9CB-469F-A165-70867728950E"


class NoReports:
    """Takes what ended, and keeps nothing of it."""

    def report(self, event: EdgeRequest) -> None:
        pass


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


async def test_a_duration_has_the_attributes_that_conventions_ask_for_and_no_word_of_a_client() -> None:
    with collected() as shown:
        log = RequestLog(NoReports(), {}, is_secured=True)
        for method in ("POST", "POST", CANARY, ""):
            event = EdgeRequest(Identity(1, 2), 0, 1.0, Endpoint.CHAT_COMPLETIONS, http_method=method)
            event.ended_seconds, event.http_status = 2.0, 200
            log.report(event)
        known = {
            "url.scheme": "https",
            "http.route": "/v1/chat/completions",
            "http.response.status_code": 200,
            "reason": "UNSPECIFIED",
        }
        name = "http.server.request.duration"
        assert shown.value(name, **{"http.request.method": "POST"}, **known) == 2
        assert shown.value(name, **{"http.request.method": "_OTHER"}, **known) == 2


@pytest.mark.parametrize(
    ("status", "reason", "error_type"),
    [
        (200, Reason.UNSPECIFIED, None),
        (400, Reason.QUOTA_TOO_SMALL, None),
        (404, Reason.MODEL_NOT_FOUND, None),
        (499, Reason.CLIENT_CANCELLED, None),
        (503, Reason.NO_REPLICA, "NO_REPLICA"),
        # A stream that broke off has its 200 already.
        (200, Reason.ENGINE_FAILED, "ENGINE_FAILED"),
        (500, Reason.UNSPECIFIED, "500"),
    ],
)
def test_a_duration_has_the_type_of_an_error_where_the_service_failed_and_nowhere_else(
    status: int, reason: Reason, error_type: str | None
) -> None:
    with collected() as shown:
        event = EdgeRequest(Identity(1, 2), 0, 1.0, Endpoint.CHAT_COMPLETIONS, http_method="POST")
        event.ended_seconds, event.http_status, event.reason = 2.0, status, reason
        RequestLog(NoReports(), {}, is_secured=True).report(event)
        given = {
            "http.request.method": "POST",
            "url.scheme": "https",
            "http.route": "/v1/chat/completions",
            "http.response.status_code": status,
            "reason": reason.name,
            **({} if error_type is None else {"error.type": error_type}),
        }
        assert shown.value("http.server.request.duration", **given) == 1
