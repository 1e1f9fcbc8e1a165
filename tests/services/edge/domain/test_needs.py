"""A request says what it asks of an engine, and nothing that it does not ask."""

from dataclasses import replace
from typing import Any

import pytest

from services.edge.domain.generation import Form, GenerationRequest, Message, Role
from services.edge.domain.needs import needs_of
from services.edge.domain.tools import Tool, Tools, ToolUse
from services.kernel.engine_features import NO_FEATURE, EngineFeature

PLAIN = GenerationRequest("m", (Message(Role.USER, "a"),))
TOOLS = (Tool("weather"),)


@pytest.mark.parametrize(
    ("asked", "needs"),
    [
        ({}, NO_FEATURE),
        ({"sampling": {"temperature": 0.5, "min_tokens": 0, "stop_token_ids": ()}}, NO_FEATURE),
        ({"sampling": {"logprobs": 0}}, EngineFeature.LOGPROBS),
        ({"sampling": {"thinking_token_budget": 0}}, EngineFeature.THINKING_BUDGET),
        (
            {"sampling": {"min_tokens": 1, "stop_token_ids": (5,)}},
            EngineFeature.MIN_TOKENS | EngineFeature.STOP_TOKEN_IDS,
        ),
        ({"reasoning_effort": "low"}, EngineFeature.EFFORT_LOW),
        ({"reasoning_effort": "xhigh"}, EngineFeature.EFFORT_XHIGH),
        ({"form": Form(json_schema="{}")}, EngineFeature.JSON_SCHEMA),
        ({"form": Form(texts=("a", "b"))}, EngineFeature.TEXTS),
        ({"form": Form(pattern="a")}, EngineFeature.PATTERN),
        ({"tools": Tools(TOOLS)}, EngineFeature.TOOLS),
        ({"tools": Tools(TOOLS, ToolUse.NONE)}, NO_FEATURE),
        (
            {"tools": Tools(TOOLS), "form": Form(json_schema="{}")},
            EngineFeature.TOOLS | EngineFeature.JSON_SCHEMA,
        ),
    ],
)
def test_a_request_needs_what_it_asks_for(asked: dict[str, Any], needs: EngineFeature) -> None:
    assert needs_of(replace(PLAIN, **asked)) == needs
