"""A model by each of its names, as the official clients ask for it: quick starts, lists, retired names."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from comptoir.client import Client, ComptoirError, user
from comptoir.router.v1 import router_pb2

from services.runtime.settings import environment
from tests.clients.conftest import ALIAS, DEPRECATED_AT_SECONDS, EMBEDDING_ALIAS, KNOWN, RETIRED, VECTORS
from tests.system.stack_process import REPOSITORY, Stack

pytestmark = pytest.mark.system

HERE = Path(__file__).parent
NODE = Path(sys.executable).parent / "node"
ASKED: Any = {"messages": [{"role": "user", "content": "Bonjour."}], "max_completion_tokens": 8}


@pytest.mark.parametrize(
    "program", [(sys.executable, HERE / "quick_start.py"), (NODE, HERE / "quick_start.mjs")]
)
def test_the_quick_start_of_a_hosting_guide_streams_an_answer(
    stack: Stack, program: tuple[str | Path, Path]
) -> None:
    variables = {"OPENAI_BASE_URL": stack.base_url, "OPENAI_API_KEY": stack.api_key}
    done = subprocess.run(
        program,
        cwd=REPOSITORY,
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert not done.stderr


@pytest.mark.parametrize("name", [ALIAS, "default", "", "tiny-eu"])
def test_every_name_is_answered_by_the_model_that_the_answer_says(stack: Stack, name: str) -> None:
    with stack.client(max_retries=0) as client:
        said = client.chat.completions.with_raw_response.create(model=name, **ASKED)
        chunks = list(client.chat.completions.create(model=name, stream=True, **ASKED))
    assert said.parse().model == stack.model
    assert {chunk.model for chunk in chunks} == {stack.model}
    assert "deprecation" not in said.headers
    assert stack.row_of("admissions", said.headers["x-request-id"])["model"] == 1


@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_retired_name_is_answered_and_says_so(stack: Stack, is_streamed: bool) -> None:
    with stack.client(max_retries=0) as client:
        said = client.chat.completions.with_raw_response.create(model=RETIRED, stream=is_streamed, **ASKED)
    assert said.headers["deprecation"] == f"@{DEPRECATED_AT_SECONDS}"
    assert said.headers["sunset"] == "Fri, 15 Jan 2027 08:00:00 GMT"
    assert said.headers["link"] == f'</v1/models/{stack.model}>; rel="successor-version"'


def test_every_name_is_listed_and_found_with_its_context(stack: Stack) -> None:
    with stack.client(max_retries=0) as client:
        listed = client.models.list().data
        found = {name: client.models.retrieve(name) for name in (stack.model, ALIAS, RETIRED)}
    tasks = {model.id: (model.model_extra or {})["task"] for model in listed}
    assert {name for name, task in tasks.items() if task == "embed"} == {VECTORS, EMBEDDING_ALIAS}
    listed = [model for model in listed if tasks[model.id] == "generate"]
    assert [model.id for model in listed] == [stack.model, "default", ALIAS, KNOWN, RETIRED]
    assert {model.id: model for model in listed if model.id in found} == found
    for model in listed:
        more = model.model_extra or {}
        assert (more["root"], more["max_model_len"], more["context_window"]) == (stack.model, 2048, 2048)
    assert [model.shutdown_date for model in listed] == [None, None, None, None, "2027-01-15"]


def test_services_find_the_same_names_and_may_ask_for_each(stack: Stack) -> None:
    with Client(stack.description["grpc"]["router"], api_key=stack.api_key) as client:
        listed = [model for model in client.list_models() if model.task == router_pb2.TASK_GENERATE]
        assert [model.name for model in listed] == [stack.model, "default", ALIAS, KNOWN, RETIRED]
        assert {(model.model_name, model.context_tokens) for model in listed} == {(stack.model, 2048)}
        assert [model.HasField("retirement") for model in listed] == [False, False, False, False, True]
        for name in ("", *(model.name for model in listed)):
            assert client.answer(model=name, messages=[user("Bonjour.")], max_output_tokens=4).text


def test_a_key_that_was_made_for_an_alias_may_use_every_name_of_its_model(stack: Stack) -> None:
    key = json.loads(stack.comptoir("keys", "create", "--model", ALIAS, "--json").stdout)["api_key"]
    with stack.client(max_retries=0, api_key=key) as client:
        for name in (stack.model, ALIAS, RETIRED):
            assert client.chat.completions.create(model=name, **ASKED).model == stack.model


def test_an_unknown_name_is_refused_and_not_repeated(stack: Stack) -> None:
    with stack.client(max_retries=0) as client, pytest.raises(openai.NotFoundError) as refusal:
        client.chat.completions.create(model="f3-70b-canary", **ASKED)
    assert "canary" not in refusal.value.response.text + str(refusal.value.response.headers)
    with (
        Client(stack.description["grpc"]["router"], api_key=stack.api_key) as grpc_client,
        pytest.raises(ComptoirError) as error,
    ):
        grpc_client.answer(model="f3-70b-canary", messages=[user("Bonjour.")])
    assert "canary" not in str(error.value)


def test_a_request_that_names_no_model_at_all_is_the_defaults(stack: Stack) -> None:
    headers = {"authorization": f"Bearer {stack.api_key}"}
    answer = httpx.post(f"{stack.base_url}/chat/completions", json=ASKED, headers=headers, timeout=60)
    assert answer.json()["model"] == stack.model
