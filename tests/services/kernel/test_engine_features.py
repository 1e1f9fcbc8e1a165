"""What an engine may have is one list, for routers, replicas and callers, and each of it has a field."""

import pytest
from comptoir.generator.v1 import generator_pb2
from comptoir.router.v1 import router_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.engine_features import ALL_FEATURES, EngineFeature, field_of, has_all


def test_the_bits_are_those_of_the_schema() -> None:
    told = {f"ENGINE_FEATURE_{feature.name}": int(feature) for feature in EngineFeature}
    assert told | {"ENGINE_FEATURE_UNSPECIFIED": 0} == dict(router_pb2.EngineFeature.items())


@pytest.mark.parametrize("feature", EngineFeature)
def test_what_is_missing_has_the_name_of_the_field_that_asks_for_it(feature: EngineFeature) -> None:
    message = generator_pb2.GenerateRequest.DESCRIPTOR
    for part in field_of(feature).split("."):
        field = message.fields_by_name[part]
        message = field.message_type or message


def test_a_bit_that_nobody_knows_here_has_no_name() -> None:
    assert field_of(1 << 20) == "needs"


@given(st.integers(0, ALL_FEATURES), st.integers(0, ALL_FEATURES))
def test_an_engine_has_what_is_needed_or_something_is_missing(features: int, needs: int) -> None:
    assert has_all(features, needs) == all(features & 1 << bit for bit in range(32) if needs & 1 << bit)
    assert has_all(ALL_FEATURES, needs)
    assert has_all(features, 0)
