"""Every parameter of the SDK's call is known, and every refused one has words."""

import pytest
from openai.types import embedding_create_params

from services.edge.domain.openai.embeddings.body import EMBEDDING_NEUTRAL, EmbeddingBody
from services.edge.domain.openai.embeddings.request import parse_embeddings
from services.edge.domain.openai.parameters import IGNORED
from services.kernel.errors import ComptoirError, Reason
from tests.services.edge.domain.openai.known_fields import fields_of_class, fields_of_params

MIXINS = (
    "PoolingBasicRequestMixin",
    "CompletionRequestMixin",
    "ChatRequestOptionsMixin",
    "ChatRequestMixin",
    "EncodingRequestMixin",
    "EmbedRequestMixin",
)


def test_every_parameter_of_the_sdk_is_served_refused_or_ignored() -> None:
    theirs = fields_of_params(embedding_create_params.EmbeddingCreateParams)
    assert theirs <= {*EmbeddingBody.__struct_fields__, *EMBEDDING_NEUTRAL, *IGNORED}
    assert {"input", "model", "dimensions", "encoding_format"} <= {*EmbeddingBody.__struct_fields__}


def test_every_parameter_of_vllm_is_served_refused_or_ignored() -> None:
    theirs = {name for mixin in MIXINS for name in fields_of_class("../pooling/base", mixin)}
    assert theirs <= {*EmbeddingBody.__struct_fields__, *EMBEDDING_NEUTRAL, *IGNORED}


@pytest.mark.parametrize(
    ("name", "value"), [("input_type", "query"), ("task", "retrieval"), ("truncate", "END")]
)
def test_what_other_servers_make_other_vectors_of_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(ComptoirError) as refusal:
        parse_embeddings({"input": "a", name: value})
    assert (refusal.value.reason, refusal.value.field) == (Reason.PARAMETER_UNSUPPORTED, name)


def test_no_parameter_is_served_and_refused() -> None:
    assert not {*EmbeddingBody.__struct_fields__} & {*EMBEDDING_NEUTRAL}
    assert not {*EMBEDDING_NEUTRAL} & IGNORED
