"""What a request asks of an engine that not every engine has, so that it is placed on one that has it."""

from typing import Final

from services.edge.domain.generation import GenerationRequest
from services.edge.domain.tools import ToolUse
from services.kernel.engine_features import NO_FEATURE, OF_EFFORT, EngineFeature

# Parameters that are asked for where they are there at all.
_OF_SAMPLING: Final = {
    "logprobs": EngineFeature.LOGPROBS,
    "thinking_token_budget": EngineFeature.THINKING_BUDGET,
}
# And where they are not empty, and not 0.
_OF_SAMPLING_IF_ANY: Final = {
    "min_tokens": EngineFeature.MIN_TOKENS,
    "stop_token_ids": EngineFeature.STOP_TOKEN_IDS,
}


def needs_of(request: GenerationRequest) -> EngineFeature:
    """Returns what the request's replica has to have."""
    form, tools, sampling = request.form, request.tools, request.sampling
    asked = (
        (bool(form.json_schema), EngineFeature.JSON_SCHEMA),
        (bool(form.texts), EngineFeature.TEXTS),
        (bool(form.pattern), EngineFeature.PATTERN),
        (tools is not None and tools.use is not ToolUse.NONE, EngineFeature.TOOLS),
        *((name in sampling, feature) for name, feature in _OF_SAMPLING.items()),
        *((bool(sampling.get(name)), feature) for name, feature in _OF_SAMPLING_IF_ANY.items()),
    )
    needs = OF_EFFORT.get(request.reasoning_effort, NO_FEATURE)
    for is_asked, feature in asked:
        needs |= feature if is_asked else NO_FEATURE
    return needs
