"""Counting a prompt, as official clients and those of vLLM ask: as an answer counts it, and none spent."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from comptoir.client import Client, user

from tests.clients.conftest import ALIAS
from tests.system.stack_process import REPOSITORY, Stack

pytestmark = pytest.mark.system

TEXT = "Écris un mot sur la mer, s'il te plaît. 🌊"
MESSAGES: Any = [{"role": "user", "content": TEXT}]
NODE_PROGRAM = """
import OpenAI from "openai";
const [baseURL, apiKey, model, input] = process.argv.slice(1);
const client = new OpenAI({ baseURL, apiKey });
console.log((await client.responses.inputTokens.count({ model, input })).input_tokens);
"""


def tokenized(stack: Stack, key: str = "", **body: Any) -> httpx.Response:
    headers = {"authorization": f"Bearer {key or stack.api_key}"}
    url = stack.base_url.removesuffix("/v1") + "/tokenize"
    return httpx.post(url, json={"model": stack.model, **body}, headers=headers, timeout=60)


def prompt_tokens(stack: Stack) -> int:
    with stack.client(max_retries=0) as client:
        answer = client.chat.completions.create(model=stack.model, messages=MESSAGES, max_completion_tokens=1)
    assert answer.usage is not None
    return answer.usage.prompt_tokens


def test_every_client_counts_a_chat_as_its_answer_does(stack: Stack) -> None:
    expected = prompt_tokens(stack)
    with stack.client(max_retries=0) as client:
        assert client.responses.input_tokens.count(model=ALIAS, input=TEXT).input_tokens == expected
        assert client.responses.input_tokens.count(model=stack.model, input=MESSAGES).input_tokens == expected
    answer = tokenized(stack, messages=MESSAGES).json()
    assert (answer["count"], len(answer["tokens"]), answer["max_model_len"]) == (expected, expected, 2048)
    with Client(stack.description["grpc"]["router"], api_key=stack.api_key) as client:
        assert client.count_tokens(model=stack.model, messages=[user(TEXT)]) == expected
        assert client.count_tokens(model="", text=TEXT) < expected


def test_the_node_client_counts_the_same(stack: Stack) -> None:
    node = Path(sys.executable).parent / "node"
    arguments = [stack.base_url, stack.api_key, ALIAS, TEXT]
    done = subprocess.run(
        [node, "--input-type=module", "-e", NODE_PROGRAM, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == prompt_tokens(stack)


def test_the_ids_of_a_text_are_those_that_a_completion_takes(stack: Stack) -> None:
    ids = tokenized(stack, prompt=TEXT).json()["tokens"]
    with stack.client(max_retries=0) as client:
        asked: Any = {"model": stack.model, "temperature": 0, "max_tokens": 8}
        by_text = client.completions.create(prompt=TEXT, **asked)
        by_ids = client.completions.create(prompt=ids, **asked)
    assert by_text.choices[0].text == by_ids.choices[0].text
    assert by_text.usage is not None
    assert by_text.usage.prompt_tokens == len(ids)


def test_a_prompt_longer_than_the_context_is_counted_and_its_ids_are_not_listed(stack: Stack) -> None:
    long = "é " * 3000
    with stack.client(max_retries=0) as client:
        count = client.responses.input_tokens.count(model=stack.model, input=long).input_tokens
    assert count > 2048
    for prompt in (long, "x" * (2048 * 64 + 1)):
        refusal = tokenized(stack, prompt=prompt)
        assert (refusal.status_code, refusal.json()["error"]["code"]) == (400, "context_length_exceeded")
        assert refusal.json()["error"]["param"] == "prompt"


def test_a_count_spends_a_request_and_no_token_and_leaves_one_row(stack: Stack) -> None:
    quota = ("--requests-per-minute", "2", "--tokens-per-minute", "10", "--concurrency", "1")
    key = json.loads(stack.comptoir("keys", "create", *quota, "--json").stdout)["api_key"]
    first, second, third = (tokenized(stack, key, messages=MESSAGES) for _ in range(3))
    assert [answer.status_code for answer in (first, second, third)] == [200, 200, 429]
    assert second.headers["x-ratelimit-remaining-requests"] == "0"
    assert second.headers["x-ratelimit-remaining-tokens"] == "10"
    request_id = first.headers["x-request-id"]
    row = stack.row_of("edge_requests", request_id)
    assert (row["endpoint"], row["http_status"], row["model"]) == ("tokenize", 200, 1)
    assert not stack.rows_of("admissions", request_id)
    assert not stack.rows_of("generations", request_id)
