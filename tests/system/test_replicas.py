"""Several replicas, of one model and of several, on one machine: each gets its requests, or is drained."""

import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import openai
import pytest

from tests.system.stack_process import Stack, eventually, running_stack

MESSAGES: Any = [{"role": "user", "content": "Écris un bref compte rendu."}]
ROUNDS: Final = 10
TWO_MODELS: Final = """
catalog:
  models:
  - {number: 1, name: one, context_tokens: 4096, max_output_tokens: 512, aliases: [fast, tiny]}
  - {number: 3, name: two, context_tokens: 2048, max_output_tokens: 512, aliases: [thorough]}
  - {number: 2, name: tiny-embed-eu, task: embed, context_tokens: 512, aliases: [vectors]}
router: {hold_seconds: 150}
generators:
- {model: one, replicas: 2, settings: {max_requests: 40}}
- {model: two, settings: {max_requests: 20}}
"""


@contextlib.contextmanager
def stack_with(folder: Path, settings: str, *arguments: str) -> Iterator[Stack]:
    """A stack with these settings whose replicas are all ready."""
    file = folder / "settings.yaml"
    file.write_text(settings)
    with running_stack(folder / "data", "--config", str(file), *arguments) as stack:
        stack.wait_ready(240)
        yield stack


def ready_replicas(stack: Stack) -> dict[int, str]:
    """The model of each replica that gets requests, by its number."""
    listed = stack.status()["replicas"] or []
    return {each["number"]: each["model"] for each in listed if each["state"] == "ready"}


@pytest.mark.system
@pytest.mark.timeout(480)
def test_each_name_of_several_models_leads_to_the_replicas_of_its_model(tmp_path: Path) -> None:
    with stack_with(tmp_path, TWO_MODELS, "--engine", "simulated", "--embeddings") as stack:
        models = {1: "one", 2: "one", 3: "two", 4: "tiny-embed-eu"}
        eventually(lambda: ready_replicas(stack), lambda found: found == models, 60)
        limits = {each["number"]: each["max_requests"] for each in stack.status()["replicas"]}
        assert [limits[number] for number in (1, 2, 3)] == [40, 40, 20]
        assert stack.status()["models"] == ["one", "two"]
        with stack.client(max_retries=0, timeout=120) as client:
            _assert_served_by_its_own(stack, client)
            _assert_refused_elsewhere(client)
            _assert_drained_and_back(stack, client)


def _assert_served_by_its_own(stack: Stack, client: openai.OpenAI) -> None:
    """Each name, until each replica has served."""
    listed = {model.id for model in client.models.list()}
    assert {"one", "fast", "tiny", "two", "thorough", "tiny-embed-eu", "vectors"} <= listed
    served: dict[str, set[tuple[int, int]]] = {}
    replicas: set[int] = set()
    for _ in range(ROUNDS):
        # A replica that stands still for a moment has none of them.
        for name in ("one", "fast", "tiny", "two", "thorough"):
            answer = client.chat.completions.create(model=name, messages=MESSAGES, max_completion_tokens=4)
            row = stack.row_of("generations", str(answer._request_id))
            served.setdefault(name, set()).add((row["model"], row["replica"]))
            replicas.add(row["replica"])
        if replicas == {1, 2, 3}:
            break
    assert replicas == {1, 2, 3}
    vectors = client.embeddings.with_raw_response.create(model="vectors", input="a")
    row = stack.row_of("generations", vectors.headers["x-request-id"])
    assert (row["model"], row["replica"]) == (2, 4)
    by_model = {name: {model for model, _ in found} for name, found in served.items()}
    assert by_model == {"one": {1}, "fast": {1}, "tiny": {1}, "two": {3}, "thorough": {3}}


def _assert_drained_and_back(stack: Stack, client: openai.OpenAI) -> None:
    """A drained replica ends what it has and gets nothing new, until its drain ends."""
    running = client.chat.completions.create(
        model="one", messages=MESSAGES, max_completion_tokens=400, stream=True
    )
    next(running)
    stack.comptoir("replicas", "drain", "1")
    client.chat.completions.create(model="one", messages=MESSAGES, max_completion_tokens=4)
    eventually(lambda: ready_replicas(stack).keys(), lambda found: found == {2, 3, 4}, 30)
    assert [chunk.choices[0].finish_reason for chunk in running if chunk.choices][-1] in {"stop", "length"}
    served: Counter[int] = Counter()
    for _ in range(4):
        answer = client.chat.completions.create(model="one", messages=MESSAGES, max_completion_tokens=4)
        served[stack.row_of("generations", str(answer._request_id))["replica"]] += 1
    assert served == {2: 4}
    drained = json.loads(stack.comptoir("replicas", "drain", "1", "--wait", "30", "--json").stdout)
    assert (drained["state"], drained["in_flight_requests"]) == ("draining", 0)
    stack.comptoir("replicas", "undrain", "1")
    eventually(lambda: ready_replicas(stack).keys(), lambda found: found == {1, 2, 3, 4}, 30)


def _assert_refused_elsewhere(client: openai.OpenAI) -> None:
    """A model of vectors answers no chat, by whatever name, and a name of nobody is refused."""
    for name, code in (("vectors", "model_task_mismatch"), ("three", "model_not_found")):
        with pytest.raises(openai.APIStatusError) as refused:
            client.chat.completions.create(model=name, messages=MESSAGES, max_completion_tokens=4)
        assert refused.value.code == code
