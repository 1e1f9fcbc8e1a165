"""What a model thinks reaches the clients of others, apart from what it says, streamed and whole."""

import json
from pathlib import Path

import pytest

from tests.clients.test_other_clients import NODE, PROGRAMS, python_of, run
from tests.system.stack_process import Stack

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def check_thought_and_said(stack: Stack, *command: str | Path) -> None:
    """Runs a program, each of whose ways to ask was told what the model thought, and then its answer."""
    variables = {"OPENAI_BASE_URL": stack.base_url, "OPENAI_API_KEY": stack.api_key}
    variables["LANGSMITH_TRACING"] = "false"
    told = json.loads(run(variables, *command, stack.model))
    assert told
    for way, answer in told.items():
        assert answer["thought"], way
        assert answer["said"], way
        assert "think>" not in answer["thought"] + answer["said"], way


def test_openais_node_client_and_the_vercel_ai_sdk_are_told_what_a_model_thinks(stack: Stack) -> None:
    check_thought_and_said(stack, NODE, PROGRAMS / "reasoning.mjs")


def test_langchain_is_told_what_a_model_thinks(stack: Stack) -> None:
    check_thought_and_said(stack, python_of("agents"), PROGRAMS / "langchain_reasoning.py")
