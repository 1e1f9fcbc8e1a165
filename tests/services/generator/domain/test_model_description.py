"""What a replica says of its model follows from the catalog and the engine."""

from comptoir.generator.v1 import generator_pb2

from services.generator.domain.model_description import ModelDescription
from services.generator.domain.ports import Capabilities, Feature
from services.generator.wire.answers import model_response_from


def features_of(tool_format: str, features: Feature) -> set[str]:
    capabilities = Capabilities(1024, 16, 100, features, 512, "vllm", "1.2")
    message = model_response_from(ModelDescription("tiny-eu", 256, tool_format, capabilities))
    assert (message.context_tokens, message.max_output_tokens, message.vocabulary_tokens) == (1024, 256, 512)
    assert (message.engine_name, message.engine_version) == ("vllm", "1.2")
    names = [generator_pb2.ModelFeature.Name(number) for number in message.features]
    return {name.removeprefix("MODEL_FEATURE_") for name in names}


def test_what_an_engine_can_do_is_what_requests_may_ask_for() -> None:
    every = ~Feature(0) & ~Feature.EMBEDDING
    # All but the one that is not known, and what makes vectors.
    assert len(features_of("hermes", every)) == len(generator_pb2.ModelFeature.values()) - 2
    assert features_of("", Feature(0)) == set()
    assert features_of("", Feature.OUTPUT_TOKEN_IDS | Feature.LOGPROBS) == {"TOKEN_IDS", "LOGPROBS"}
    assert "TOKEN_COUNTS" in features_of("", Feature.TOKEN_IDS)


def test_tools_take_a_format_of_the_model_and_an_engine_that_keeps_to_a_structure() -> None:
    assert "TOOLS" in features_of("hermes", Feature.STRUCTURE)
    assert "TOOLS" not in features_of("", Feature.STRUCTURE)
    assert "TOOLS" not in features_of("hermes", Feature.TOKEN_IDS)


def test_what_makes_vectors_takes_nothing_of_answers() -> None:
    assert features_of("", Feature.EMBEDDING | Feature.TOKEN_IDS) == {"EMBEDDING", "TOKEN_COUNTS"}
