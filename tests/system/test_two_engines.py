"""Of two different engines behind one edge each has what it can answer, and what neither can is named."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import openai
import pytest
import yaml

from deploy.local.stack.paths import DataPaths
from tests.ports import free_port
from tests.services.generator.adapters.openai_server.llama_server import MODEL, llama_server
from tests.system.asking import MESSAGES, WholeAnswer, assert_counted_once
from tests.system.completeness import assert_complete
from tests.system.stack_process import Stack, eventually, running_stack

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

SIMULATED, LLAMA_CPP = 1, 9
# In turn, so that the first two land on both engines.
SETTINGS: Final = """
router: {placement: {policy: round_robin}}
generator: {simulated: {answer_tokens: 8, itl_seconds: 0.001}}
"""
OUTPUT_TOKENS: Final = 8
SCHEMA: Final = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
_STOP_SECONDS: Final = 60


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose engine is simulated, and a generator before llama.cpp's server that joins it."""
    folder = tmp_path_factory.mktemp("two-engines")
    settings = folder / "settings.yaml"
    settings.write_text(SETTINGS)
    choices = ("--engine", "simulated", "--model", str(MODEL), "--config", str(settings))
    with (
        llama_server(folder) as url,
        running_stack(folder / "data", *choices) as running,
        _generator(running, folder, url),
    ):
        eventually(lambda: _replicas(running), lambda said: said == {SIMULATED, LLAMA_CPP}, 120)
        yield running


@contextmanager
def _generator(stack: Stack, folder: Path, url: str) -> Iterator[None]:
    """A process with the settings of the stack's own generator, but for its engine."""
    document = yaml.safe_load(DataPaths(stack.data_dir).config.read_text())
    document["generator"] |= {
        "listen": {"address": f"unix:{folder / 'llama'}"},
        "metrics_listen": {"port": free_port()},
        "replica": LLAMA_CPP,
        "engine": "openai_server",
        "model_path": str(MODEL),
        "openai_server": {"url": url, "kind": "llama_cpp"},
    }
    config = folder / "llama.yaml"
    config.write_text(yaml.safe_dump(document))
    command = [sys.executable, "-m", "services.generator", "--config", str(config)]
    with (folder / "generator.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        finally:
            process.kill()


def _replicas(stack: Stack) -> set[int]:
    """The numbers of those that get requests."""
    listed = stack.comptoir("replicas", "list", "--json").stdout
    return {one["number"] for one in yaml.safe_load(listed)["replicas"] if one["state"] == "ready"}


def _asked(client: openai.OpenAI, model: str, **more: Any) -> WholeAnswer:
    response = client.chat.completions.with_raw_response.create(
        model=model, messages=MESSAGES, max_completion_tokens=OUTPUT_TOKENS, **more
    )
    usage = response.parse().usage
    assert usage is not None
    return WholeAnswer(response.headers["x-request-id"], usage.prompt_tokens, usage.completion_tokens)


def test_each_request_lands_on_an_engine_that_has_what_it_asks_and_counts_agree(stack: Stack) -> None:
    with stack.client(timeout=120, max_retries=0) as client:
        plain = [_asked(client, stack.model) for _ in range(4)]
        # llama.cpp's server tells no logprobs in the generator's words.
        needy = [_asked(client, stack.model, logprobs=True) for _ in range(3)]
        with pytest.raises(openai.BadRequestError) as refusal:
            _asked(client, stack.model, response_format=SCHEMA)
    assert refusal.value.code == "unsupported_parameter"
    assert refusal.value.param == "response_format.json_schema.schema"
    replicas = {
        one.request_id: stack.row_of("generations", one.request_id)["replica"] for one in plain + needy
    }
    assert {replicas[one.request_id] for one in plain} == {SIMULATED, LLAMA_CPP}
    assert [replicas[one.request_id] for one in needy] == [SIMULATED] * 3
    assert_counted_once(stack, plain + needy)
    assert_complete(stack)
