"""Every parameter of the SDK's call is known, and every refused one has words."""

from openai.types import embedding_create_params

from services.edge.domain.openai.embeddings.body import EMBEDDING_NEUTRAL, EmbeddingBody
from services.edge.domain.openai.parameters import IGNORED
from tests.services.edge.domain.openai.known_fields import fields_of_params


def test_every_parameter_of_the_sdk_is_served_refused_or_ignored() -> None:
    theirs = fields_of_params(embedding_create_params.EmbeddingCreateParams)
    assert theirs <= {*EmbeddingBody.__struct_fields__, *EMBEDDING_NEUTRAL, *IGNORED}
    assert {"input", "model", "dimensions", "encoding_format"} <= {*EmbeddingBody.__struct_fields__}


def test_no_parameter_is_served_and_refused() -> None:
    assert not {*EmbeddingBody.__struct_fields__} & {*EMBEDDING_NEUTRAL}
    assert not {*EMBEDDING_NEUTRAL} & IGNORED
