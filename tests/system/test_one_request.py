"""One real request, end to end: official clients, vLLM, Kafka, the ClickHouse engine."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest
from comptoir.generator.v1 import generator_pb2, generator_pb2_grpc
from comptoir.router.v1 import router_pb2, router_pb2_grpc

from tests.system.stack_process import REPOSITORY, Stack

pytestmark = pytest.mark.system

PROMPT = "Écris un bref compte rendu."
MESSAGES: Any = [{"role": "user", "content": PROMPT}]
NODE_CLIENT = Path(__file__).parent / "node" / "chat.mjs"


def _assert_counted(stack: Stack, request_id: str, usage: dict[str, int], outcome: set[str]) -> None:
    generation = stack.row_of("generations", request_id)
    admission = stack.row_of("admissions", request_id)
    assert generation["input_tokens"] == usage["prompt_tokens"]
    assert generation["output_tokens"] == usage["completion_tokens"]
    assert generation["outcome"] in outcome
    assert generation["ttft_microseconds"] > 0
    assert generation["duration_microseconds"] >= generation["ttft_microseconds"]
    assert generation["region"] > 0
    assert generation["ticket_digest"] > 0
    assert admission["decision"] == "admitted"
    assert admission["region"] == generation["region"]


def test_a_streamed_chat_of_the_python_client_is_one_row_with_its_counts(stack: Stack) -> None:
    with stack.client() as client:
        response = client.chat.completions.with_raw_response.create(
            model=stack.model, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        chunks = list(response.parse())
    request_id = response.headers["x-request-id"]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    usage = chunks[-1].usage
    assert len(text) > 10
    assert usage is not None
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] in {"stop", "length"}
    _assert_counted(stack, request_id, usage.model_dump(), {"stop", "length"})


def test_a_whole_chat_of_the_python_client_is_one_row_with_its_counts(stack: Stack) -> None:
    with stack.client() as client:
        answer = client.chat.completions.create(model=stack.model, messages=MESSAGES, max_completion_tokens=7)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 7
    assert answer._request_id is not None
    _assert_counted(stack, answer._request_id, answer.usage.model_dump(), {"length"})


@pytest.mark.parametrize("mode", ["stream", "whole"])
def test_a_chat_of_the_node_client_is_one_row_with_its_counts(stack: Stack, mode: str) -> None:
    answer = _node(stack, mode)
    assert len(answer["text"]) > 10
    assert answer["finish_reason"] in {"stop", "length"}
    _assert_counted(stack, answer["request_id"], answer["usage"], {"stop", "length"})


def test_models_are_listed_and_found_by_both_clients(stack: Stack) -> None:
    with stack.client() as client:
        assert [model.id for model in client.models.list()] == [stack.model]
        assert client.models.retrieve(stack.model).id == stack.model
    assert _node(stack, "models")["models"] == [stack.model]


def test_an_internal_service_needs_nothing_but_grpc(stack: Stack) -> None:
    with (
        grpc.insecure_channel(stack.description["grpc"]["router"]) as router,
        grpc.insecure_channel(stack.description["grpc"]["generator"]) as generator,
    ):
        admitted = router_pb2_grpc.RouterServiceStub(router).Admit(
            router_pb2.AdmitRequest(api_key=stack.api_key, model=stack.model, prompt_tokens_upper_bound=100),
            timeout=30,
        )
        assert admitted.offer.generator_address == stack.description["grpc"]["generator"]
        request = generator_pb2.GenerateRequest(
            ticket=admitted.offer.ticket,
            messages=[generator_pb2.ChatMessage(role=generator_pb2.ROLE_USER, text=PROMPT)],
        )
        steps = list(generator_pb2_grpc.GeneratorServiceStub(generator).Generate(request, timeout=60))
    assert [step.WhichOneof("event") for step in (steps[0], steps[-1])] == ["started", "finished"]
    finished = steps[-1].finished
    assert sum(step.delta.output_tokens for step in steps) <= finished.output_tokens
    usage = {"prompt_tokens": finished.input_tokens, "completion_tokens": finished.output_tokens}
    request_id = f"{admitted.request_id_high:016x}{admitted.request_id_low:016x}"
    _assert_counted(stack, request_id, usage, {"stop", "length"})


def test_no_column_of_an_event_table_can_hold_text(stack: Stack) -> None:
    tables = ("generations", "admissions", "edge_requests", "replica_load")
    columns = stack.rows(
        "SELECT table, name, type FROM system.columns "
        "WHERE database = 'comptoir' AND table IN {tables:Array(String)}",
        tables=list(tables),
    )
    assert {column["table"] for column in columns} == set(tables)
    textual = ("String", "JSON", "Map", "Dynamic", "Variant", "Object")
    assert [column for column in columns if any(kind in column["type"] for kind in textual)] == []


def test_the_latency_report_shows_the_requests(stack: Stack) -> None:
    test_a_whole_chat_of_the_python_client_is_one_row_with_its_counts(stack)
    rows = json.loads(stack.comptoir("report", "latency", "--json").stdout)["latency_by_hour"]
    assert sum(row["requests"] for row in rows) >= 1
    assert {row["model"] for row in rows} == {stack.model}
    assert all(row["ttft_p95_seconds"] >= row["ttft_p50_seconds"] > 0 for row in rows)
    assert stack.model in stack.comptoir("report", "latency").stdout


def test_comptoir_chat_streams_an_answer_and_says_what_it_cost(stack: Stack) -> None:
    done = stack.comptoir("chat", PROMPT)
    assert len(done.stdout) > 10
    assert "TTFT" in done.stderr
    assert "output tokens/s" in done.stderr


def test_comptoir_languages_counts_as_the_models_own_tokenizer_does(stack: Stack) -> None:
    asked = ("languages", "--language", "fr", "--language", "el", "--json")
    served = json.loads(stack.comptoir(*asked).stdout)
    folder = str(REPOSITORY / "deploy" / "models" / "tiny-eu")
    here = json.loads(stack.comptoir(*asked, "--tokenizer", folder).stdout)
    assert served["languages"] == here["languages"]
    assert [(row["language"], len(row["detected"])) for row in served["answers"]] == [("fr", 3)]


def _node(stack: Stack, mode: str) -> dict[str, Any]:
    node = Path(sys.executable).parent / "node"
    done = subprocess.run(
        [str(node), str(NODE_CLIENT), stack.base_url, stack.api_key, stack.model, mode, PROMPT],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    return content
