"""What a request needs of its engine, refused by its name where the engine has it not."""

from services.generator.domain.ports import Feature
from services.generator.domain.sampling import Sampling
from services.kernel.errors import ComptoirError, Reason


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
