"""Every field of vLLM's and OpenAI's counting requests is served, refused by name or ignored on purpose."""

import inspect

from openai.resources.responses.input_tokens import InputTokens

from services.edge.domain.openai.counts.bodies import (
    INPUT_TOKENS_NEUTRAL,
    TOKENIZE_NEUTRAL,
    InputTokensBody,
    TokenizeBody,
)
from tests.services.edge.domain.openai.known_fields import fields_of_class

OF_THE_CALL = {"self", "extra_headers", "extra_query", "extra_body", "timeout"}


def test_no_field_of_vllms_tokenize_falls_through() -> None:
    requests = ("TokenizeChatRequest", "TokenizeCompletionRequest")
    theirs = {name for request in requests for name in fields_of_class("../serve/tokenize", request)}
    assert theirs == {*TokenizeBody.__struct_fields__, *TOKENIZE_NEUTRAL}


def test_no_field_of_openais_input_tokens_falls_through() -> None:
    theirs = set(inspect.signature(InputTokens.count).parameters) - OF_THE_CALL
    # How tools are called, and none are.
    assert theirs - {"parallel_tool_calls"} == {*InputTokensBody.__struct_fields__, *INPUT_TOKENS_NEUTRAL}
