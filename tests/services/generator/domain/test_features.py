"""What an engine lacks is refused by the name of the field that asks for it."""

import pytest

from services.generator.domain.features import check_features, told_features
from services.generator.domain.ports import Capabilities, Feature
from services.generator.domain.sampling import Sampling
from services.kernel.engine_features import OF_EFFORT, EngineFeature
from services.kernel.errors import ComptoirError, Reason

EVERY = ~Feature(0)
EFFORTS = EngineFeature(sum(OF_EFFORT.values()))


@pytest.mark.parametrize(
    ("asked", "feature", "field"),
    [
        ({"returns_token_ids": True}, Feature.OUTPUT_TOKEN_IDS, "returns_token_ids"),
        ({"sampling": Sampling(logprobs=0)}, Feature.LOGPROBS, "sampling.logprobs"),
        (
            {"sampling": Sampling(thinking_token_budget=5), "is_thinking_bounded": True},
            Feature.THINKING_BUDGET,
            "sampling.thinking_token_budget",
        ),
        ({"is_thinking_bounded": True}, Feature.THINKING_BUDGET, "template.reasoning_effort"),
    ],
)
def test_a_request_needs_what_it_asks_for(asked: dict[str, object], feature: Feature, field: str) -> None:
    told = {"sampling": Sampling(), "returns_token_ids": False, "is_thinking_bounded": False, **asked}
    sampling = told.pop("sampling")
    check_features(sampling, EVERY, **told)  # type: ignore[arg-type] # by the table above
    with pytest.raises(ComptoirError) as refusal:
        check_features(sampling, EVERY & ~feature, **told)  # type: ignore[arg-type] # by the table above
    assert (refusal.value.reason, refusal.value.field) == (Reason.PARAMETER_UNSUPPORTED, field)


def test_a_plain_request_needs_nothing() -> None:
    check_features(Sampling(), Feature(0), returns_token_ids=False, is_thinking_bounded=False)


@pytest.mark.parametrize(
    ("features", "lacks", "told"),
    [
        (EVERY, frozenset(), EngineFeature(511) | EFFORTS),
        (
            Feature.TOKEN_IDS,
            frozenset({"min_tokens"}),
            EngineFeature.STOP_TOKEN_IDS | EFFORTS,
        ),
        (
            Feature.STRUCTURE,
            frozenset({"min_tokens", "stop_token_ids"}),
            EngineFeature.JSON_SCHEMA
            | EngineFeature.TEXTS
            | EngineFeature.PATTERN
            | EngineFeature.TOOLS
            | EFFORTS,
        ),
        # An engine that has not started.
        (Feature(0), frozenset(), None),
    ],
)
def test_routers_are_told_what_requests_may_ask_for(
    features: Feature, lacks: frozenset[str], told: EngineFeature | None
) -> None:
    assert told_features(Capabilities(1, 0, 0, features, lacks=lacks)) == told


def test_an_effort_that_bounds_the_reasoning_is_had_where_a_section_can_be_ended() -> None:
    bounded = frozenset({"low", "medium"})
    told = {
        feature: told_features(Capabilities(1, 0, 0, feature), bounded)
        for feature in (Feature.TOKEN_IDS, Feature.THINKING_BUDGET)
    }
    lacking, having = told[Feature.TOKEN_IDS], told[Feature.THINKING_BUDGET]
    assert lacking is not None
    assert having is not None
    assert EFFORTS & ~lacking == EngineFeature.EFFORT_LOW | EngineFeature.EFFORT_MEDIUM
    assert EFFORTS & ~having == 0
