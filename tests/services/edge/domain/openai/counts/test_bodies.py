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
    # Beyond those of its own, what changes the prompt of a chat.
    served = {*TokenizeBody.__struct_fields__} - {"enable_thinking", "reasoning_effort"}
    assert theirs == {*served, *TOKENIZE_NEUTRAL} - {"functions"}


def test_no_field_of_openais_input_tokens_falls_through() -> None:
    theirs = set(inspect.signature(InputTokens.count).parameters) - OF_THE_CALL
    served = {*InputTokensBody.__struct_fields__} - {"chat_template_kwargs", "enable_thinking"}
    assert theirs == {*served, *INPUT_TOKENS_NEUTRAL}
