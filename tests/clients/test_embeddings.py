"""POST /v1/embeddings by the official SDKs, on a stack with a real model of vectors."""

import asyncio
import json
import math
import subprocess
import sys
from pathlib import Path

import openai
import pytest
from comptoir.client import Client, ComptoirError, aio

from services.runtime.settings import environment
from tests.clients.conftest import EMBEDDING_ALIAS
from tests.system.stack_process import REPOSITORY, Stack, eventually

pytestmark = pytest.mark.system

MODEL = "tiny-embed-eu"
TEXTS = ["Où est la gare ?", "Wo ist der Bahnhof?", "The bread is fresh."]


@pytest.fixture(autouse=True, scope="module")
def vectors_are_served(stack: Stack) -> None:
    """The stack is ready before the engine of vectors is, which starts last and yields to all others."""
    eventually(lambda: stack.process("embedder")["state"], lambda state: bool(state == "ready"), 600)


def test_vectors_of_the_sdks_default_and_of_numbers_are_equal_one_by_one_and_together(stack: Stack) -> None:
    with stack.client() as client:
        together = client.embeddings.create(model=MODEL, input=TEXTS)
        numbers = client.embeddings.create(model=MODEL, input=TEXTS, encoding_format="float")
        alone = [client.embeddings.create(model=MODEL, input=text) for text in TEXTS]
    assert [item.index for item in together.data] == [0, 1, 2]
    assert [item.embedding for item in together.data] == [item.embedding for item in numbers.data]
    for item, one in zip(together.data, alone, strict=True):
        assert item.embedding == pytest.approx(one.data[0].embedding, abs=1e-5)
        assert math.hypot(*item.embedding) == pytest.approx(1, abs=1e-4)
        assert len(item.embedding) == 128
    assert together.usage.prompt_tokens == sum(one.usage.prompt_tokens for one in alone)
    assert together.usage.total_tokens == together.usage.prompt_tokens


def test_a_request_is_one_admission_and_one_generation_with_its_tokens(stack: Stack) -> None:
    with stack.client() as client:
        told = client.embeddings.with_raw_response.create(model=MODEL, input=TEXTS)
    request_id = told.headers["x-request-id"]
    generation = stack.row_of("generations", request_id)
    assert generation["input_tokens"] == told.parse().usage.prompt_tokens
    assert (generation["output_tokens"], generation["outcome"]) == (0, "stop")
    assert (generation["ttft_microseconds"], generation["model"]) == (0, 2)
    assert generation["duration_microseconds"] > 0
    assert stack.row_of("admissions", request_id)["max_output_tokens"] == 0
    assert stack.row_of("edge_requests", request_id)["endpoint"] == "embeddings"


@pytest.mark.parametrize("name", [EMBEDDING_ALIAS, "default"])
def test_other_names_of_the_model_are_answered_with_its_own(stack: Stack, name: str) -> None:
    with stack.client() as client:
        assert client.embeddings.create(model=name, input="a").model == MODEL


@pytest.mark.parametrize("size", [32, 64, 128])
def test_a_vector_is_cut_to_what_the_model_was_trained_for(stack: Stack, size: int) -> None:
    with stack.client() as client:
        (item,) = client.embeddings.create(model=MODEL, input=TEXTS[0], dimensions=size).data
    assert len(item.embedding) == size
    assert math.hypot(*item.embedding) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("asked", "code", "param"),
    [
        ({"input": ""}, "invalid_value", "input"),
        ({"input": ["a", ""]}, "invalid_value", "input[1]"),
        ({"input": ["a", "a b c " * 600]}, "context_length_exceeded", "input[1]"),
        ({"input": [[1], [2048]]}, "invalid_value", "input[1]"),
        ({"input": "a", "dimensions": 100}, "invalid_value", "dimensions"),
        ({"input": "a", "model": "tiny-eu"}, "model_task_mismatch", "model"),
    ],
)
def test_what_is_wrong_is_a_bad_request_that_names_it(
    stack: Stack, asked: dict[str, object], code: str, param: str
) -> None:
    with stack.client(max_retries=0) as client, pytest.raises(openai.BadRequestError) as refusal:
        client.embeddings.create(**{"model": MODEL, **asked})  # type: ignore[arg-type]
    assert (refusal.value.code, refusal.value.param) == (code, param)


def test_a_model_of_vectors_does_not_chat(stack: Stack) -> None:
    with stack.client() as client, pytest.raises(openai.BadRequestError) as refusal:
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "a"}])
    assert refusal.value.code == "model_task_mismatch"


def test_token_ids_are_taken_as_they_are_and_many_inputs_at_once(stack: Stack) -> None:
    with stack.client() as client:
        many = client.embeddings.create(model=MODEL, input=[[1, 300 + n % 7] for n in range(300)])
    assert [item.index for item in many.data] == list(range(300))
    assert many.usage.prompt_tokens == 600
    assert many.data[0].embedding == pytest.approx(many.data[7].embedding, abs=1e-5)


async def test_the_asynchronous_client_gets_the_same(stack: Stack) -> None:
    async with stack.async_client() as client:
        answers = await asyncio.gather(*(client.embeddings.create(model=MODEL, input=t) for t in TEXTS * 3))
    assert answers[0].data[0].embedding == pytest.approx(answers[3].data[0].embedding, abs=1e-5)


def test_the_node_sdk_gets_the_same_by_its_default_and_as_numbers(stack: Stack) -> None:
    node, program = Path(sys.executable).parent / "node", Path(__file__).parent / "embeddings.mjs"
    done = subprocess.run(
        [node, program, stack.base_url, stack.api_key],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told.pop("tokens") > 0
    assert told == {"same": True, "sizes": [128, 128], "indexes": [0, 1], "code": "400 input"}


def test_ids_of_another_vocabulary_are_told_what_langchain_must_be_told(stack: Stack) -> None:
    with stack.client() as client, pytest.raises(openai.BadRequestError) as raised:
        # "Où est la gare ?" in OpenAI's.
        client.embeddings.create(model=MODEL, input=[[46, 6431, 1826, 1208, 24724, 949]])
    assert "check_embedding_ctx_length=False" in raised.value.message
    assert raised.value.param == "input[0]"


def test_a_service_over_grpc_gets_the_same_vectors_and_counts_that_are_its_row(stack: Stack) -> None:
    with stack.client() as http:
        told = http.embeddings.create(model=MODEL, input=TEXTS)
    with Client(stack.description["grpc"]["router"], api_key=stack.api_key) as client:
        answer = client.embed(model=MODEL, inputs=TEXTS)
        (cut,) = client.embed(model=MODEL, inputs=[[1, 300, 301]], dimensions=32).vectors
        with pytest.raises(ComptoirError) as refusal:
            client.embed(model=stack.model, inputs=TEXTS)
    for vector, item in zip(answer.vectors, told.data, strict=True):
        assert list(vector) == pytest.approx(item.embedding, abs=1e-5)
    assert len(cut) == 32
    assert refusal.value.reason_name == "MODEL_TASK_MISMATCH"
    assert answer.embedded.input_tokens == told.usage.prompt_tokens
    row = stack.row_of("generations", answer.request_id.hex)
    assert (row["input_tokens"], row["output_tokens"]) == (answer.embedded.input_tokens, 0)


async def test_a_service_on_asyncio_gets_vectors_of_many_requests_side_by_side(stack: Stack) -> None:
    async with aio.Client(stack.description["grpc"]["router"], api_key=stack.api_key) as client:
        answers = await asyncio.gather(*(client.embed(model=MODEL, inputs=[text]) for text in TEXTS * 3))
    assert list(answers[0].vectors[0]) == pytest.approx(list(answers[3].vectors[0]), abs=1e-5)


@pytest.mark.parametrize(
    ("group", "program"),
    [("agents", "langchain_embeddings.py"), ("llama-index", "llama_index_embeddings.py")],
)
def test_a_library_gets_the_vectors_of_texts_and_of_a_question(
    stack: Stack, group: str, program: str
) -> None:
    python = REPOSITORY / ".clients" / group / "bin" / "python"
    address = {"OPENAI_BASE_URL": stack.base_url, "OPENAI_API_KEY": stack.api_key}
    done = subprocess.run(
        [python, Path(__file__).parent / "programs" / program, MODEL],
        env={**environment(), **address, "LANGSMITH_TRACING": "false"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    told = json.loads(done.stdout)
    with stack.client() as client:
        own = client.embeddings.create(model=MODEL, input=["Où est la gare ?", "The bread is fresh."])
    for vector, item in zip(told["texts"], own.data, strict=True):
        assert vector == pytest.approx(item.embedding, abs=1e-5)
    assert told["question"] == pytest.approx(told["texts"][0], abs=1e-5)
