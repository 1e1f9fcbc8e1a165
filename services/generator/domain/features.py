"""What a request needs of its engine, refused by its name where the engine has it not."""

from typing import Final

from services.generator.domain.ports import Capabilities, Feature
from services.generator.domain.sampling import Sampling
from services.kernel.engine_features import NO_FEATURE, OF_EFFORT, EngineFeature
from services.kernel.errors import ComptoirError, Reason

_TOLD: Final = {
    Feature.OUTPUT_TOKEN_IDS: EngineFeature.OUTPUT_TOKEN_IDS,
    Feature.LOGPROBS: EngineFeature.LOGPROBS,
    Feature.STRUCTURE: EngineFeature.JSON_SCHEMA
    | EngineFeature.TEXTS
    | EngineFeature.PATTERN
    | EngineFeature.TOOLS,
    Feature.THINKING_BUDGET: EngineFeature.THINKING_BUDGET,
}
_OF_SAMPLING: Final = {
    "min_tokens": EngineFeature.MIN_TOKENS,
    "stop_token_ids": EngineFeature.STOP_TOKEN_IDS,
}


def told_features(
    capabilities: Capabilities, bounded_efforts: frozenset[str] = frozenset()
) -> EngineFeature | None:
    """Returns what routers place requests by; None where the engine has not started and nothing is known."""
    if not capabilities.features:
        return None
    told = NO_FEATURE
    for feature, bits in _TOLD.items():
        told |= bits if feature in capabilities.features else NO_FEATURE
    for name, bit in _OF_SAMPLING.items():
        told |= NO_FEATURE if name in capabilities.lacks else bit
    for name, bit in OF_EFFORT.items():
        is_bounded = name in bounded_efforts
        told |= bit if not is_bounded or Feature.THINKING_BUDGET in capabilities.features else NO_FEATURE
    return told


def check_features(
    sampling: Sampling, features: Feature, *, returns_token_ids: bool, is_thinking_bounded: bool
) -> None:
    """Raises PARAMETER_UNSUPPORTED with the first field that asks for more than the engine has."""
    budget = "sampling.thinking_token_budget"
    needs = (
        (returns_token_ids, Feature.OUTPUT_TOKEN_IDS, "returns_token_ids"),
        (sampling.logprobs is not None, Feature.LOGPROBS, "sampling.logprobs"),
        (
            is_thinking_bounded,
            Feature.THINKING_BUDGET,
            budget if sampling.thinking_token_budget is not None else "template.reasoning_effort",
        ),
    )
    for is_needed, feature, field in needs:
        if is_needed and feature not in features:
            raise ComptoirError(Reason.PARAMETER_UNSUPPORTED, field=field)
