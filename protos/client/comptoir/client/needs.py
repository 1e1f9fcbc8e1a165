"""What a request asks of an engine that not every engine has, so that it is placed on one that has it."""

from typing import Final

from comptoir.generator.v1.generator_pb2 import TOOL_USE_NONE, GenerateRequest, ReasoningEffort
from comptoir.router.v1.router_pb2 import (
    ENGINE_FEATURE_JSON_SCHEMA,
    ENGINE_FEATURE_LOGPROBS,
    ENGINE_FEATURE_MIN_TOKENS,
    ENGINE_FEATURE_OUTPUT_TOKEN_IDS,
    ENGINE_FEATURE_PATTERN,
    ENGINE_FEATURE_STOP_TOKEN_IDS,
    ENGINE_FEATURE_TEXTS,
    ENGINE_FEATURE_THINKING_BUDGET,
    ENGINE_FEATURE_TOOLS,
    EngineFeature,
)

_EFFORT: Final = "REASONING_EFFORT_"


def needs_of(request: GenerateRequest) -> int:
    """Returns what a replica needs for a request, a sum of EngineFeature."""
    sampling, structure = request.sampling, request.structure
    asked = (
        (request.returns_token_ids, ENGINE_FEATURE_OUTPUT_TOKEN_IDS),
        (sampling.HasField("logprobs"), ENGINE_FEATURE_LOGPROBS),
        (bool(structure.json_schema), ENGINE_FEATURE_JSON_SCHEMA),
        (bool(structure.texts), ENGINE_FEATURE_TEXTS),
        (bool(structure.pattern), ENGINE_FEATURE_PATTERN),
        (request.HasField("tools") and request.tools.use != TOOL_USE_NONE, ENGINE_FEATURE_TOOLS),
        (sampling.HasField("thinking_token_budget"), ENGINE_FEATURE_THINKING_BUDGET),
        (bool(sampling.min_tokens), ENGINE_FEATURE_MIN_TOKENS),
        (bool(sampling.stop_token_ids), ENGINE_FEATURE_STOP_TOKEN_IDS),
    )
    return sum(feature for is_asked, feature in asked if is_asked) + _of_effort(request)


def _of_effort(request: GenerateRequest) -> int:
    effort = request.template.reasoning_effort
    if not effort:
        return 0
    name = ReasoningEffort.Name(effort).removeprefix(_EFFORT)
    return EngineFeature.Value(f"ENGINE_FEATURE_EFFORT_{name}")
