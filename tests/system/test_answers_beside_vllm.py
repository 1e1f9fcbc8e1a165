"""Comptoir answers as vLLM's own server does, byte for byte, with a real model in six languages."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.bench.beside.models import BenchModel
from tests.bench.beside.targets import vllm_server
from tests.ports import free_block
from tests.real_model import NAME, real_model
from tests.system.stack_process import Stack, running_stack

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

PROMPTS = (
    "What is the capital of France?",
    "Write one sentence about the sea.",
    "List three fruits, separated by commas.",
    "Why is the sky blue?",
    "Quelle est la capitale de l'Italie ?",
    "Où est l'hôtel le plus proche ?",
    "Écris une phrase sur le pain.",
    "Ça coûte 3 €, n'est-ce pas ?",
    "Was ist die Hauptstadt von Österreich?",
    "Nenne drei Tage der Woche.",
    "Wie heißt die Straße am Fluß?",
    "¿Cuál es la capital de Portugal?",
    "Escribe una frase sobre el año nuevo.",
    "¿Dónde está la estación?",
    "Qual è la capitale della Grecia?",
    "Scrivi una frase sulla città.",
    "Perché il caffè è caldo?",
    "Wat is de hoofdstad van België?",
    "Noem drie kleuren, geïnspireerd door de zee.",
    "Waarom regent het één keer per week? 🚆",
)
# Each is a step of 60 ms, on both sides, whole and streamed.
TOKENS = 8


@dataclass(frozen=True)
class Said:
    """What a server said: text, why it ended, and what it counted."""

    text: str
    finish: str | None
    input_tokens: int
    output_tokens: int


@pytest.fixture(scope="module")
def real() -> Path:
    return real_model()


@pytest.fixture(scope="module")
def comptoir(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("real"), "--model", NAME) as running:
        yield running


@pytest.fixture(scope="module")
def bare_url(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    # What a stack tells the generator of it, from its own settings.
    model, port = BenchModel(real, (), 0, 0.0, 0.0, 0.0, 800 * 2**20), free_block()
    with vllm_server(tmp_path_factory.mktemp("bare"), model, "auto", port):
        yield f"http://127.0.0.1:{port}/v1"


def whole(client: openai.OpenAI, prompt: str) -> Said:
    answer = client.chat.completions.create(**asked(prompt))
    assert answer.usage is not None
    choice = answer.choices[0]
    return Said(
        choice.message.content or "",
        choice.finish_reason,
        answer.usage.prompt_tokens,
        answer.usage.completion_tokens,
    )


def streamed(client: openai.OpenAI, prompt: str) -> Said:
    text, finish, counted = "", None, None
    for chunk in client.chat.completions.create(
        **asked(prompt), stream=True, stream_options={"include_usage": True}
    ):
        for choice in chunk.choices:
            text += choice.delta.content or ""
            finish = choice.finish_reason or finish
        counted = chunk.usage or counted
    assert counted is not None
    return Said(text, finish, counted.prompt_tokens, counted.completion_tokens)


def asked(prompt: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": prompt}]
    return {"model": NAME, "messages": messages, "temperature": 0, "max_tokens": TOKENS}


def answers(client: openai.OpenAI) -> list[tuple[Said, Said]]:
    """One after another: what a step computes beside changes how a sum is rounded."""
    return [(whole(client, prompt), streamed(client, prompt)) for prompt in PROMPTS]


def test_twenty_prompts_in_six_languages_are_answered_alike_whole_and_streamed(
    comptoir: Stack, bare_url: str
) -> None:
    patient: dict[str, Any] = {"timeout": 300, "max_retries": 0}
    with (
        comptoir.client(**patient) as ours,
        openai.OpenAI(base_url=bare_url, api_key="none", **patient) as bare,
        ThreadPoolExecutor(2) as both,
    ):
        own, others = both.submit(answers, ours), both.submit(answers, bare)
        own_said, others_said = own.result(), others.result()
    for prompt, (own_whole, own_stream), (other_whole, other_stream) in zip(
        PROMPTS, own_said, others_said, strict=True
    ):
        assert own_whole == other_whole, prompt
        assert own_stream == other_stream, prompt
        assert own_stream == own_whole, prompt
    assert own_said[0][0].text == "The capital of France is Paris."
    assert sum(len(each.text) for each, _ in own_said) > 20 * TOKENS
