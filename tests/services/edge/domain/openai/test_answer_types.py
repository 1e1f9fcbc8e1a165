"""The types of answers are those that OpenAI's SDK reads, and no field of ours is unknown to it."""

from typing import get_type_hints

import msgspec
import openai.types as sdk
import openai.types.chat as sdk_chat
import pytest
from openai.types.chat.chat_completion_chunk import ChoiceDelta
from pydantic import BaseModel

from services.edge.domain.openai import answer_types

TWINS = [
    (answer_types.ChatCompletion, sdk_chat.ChatCompletion),
    (answer_types.AnswerMessage, sdk_chat.ChatCompletionMessage),
    (answer_types.ChatCompletionChunk, sdk_chat.ChatCompletionChunk),
    (answer_types.ChunkDelta, ChoiceDelta),
    (answer_types.Usage, sdk.CompletionUsage),
]


@pytest.mark.parametrize(("ours", "theirs"), TWINS)
def test_every_field_of_an_answer_is_one_that_the_sdk_knows(
    ours: type[msgspec.Struct], theirs: type[BaseModel]
) -> None:
    # Of what a model thinks OpenAI says nothing; those that do call it so.
    assert set(ours.__struct_fields__) - {"reasoning_content"} <= set(theirs.model_fields)


@pytest.mark.parametrize(("ours", "theirs"), TWINS)
def test_what_the_sdk_cannot_do_without_is_in_every_answer(
    ours: type[msgspec.Struct], theirs: type[BaseModel]
) -> None:
    needed = {name for name, field in theirs.model_fields.items() if field.is_required()}
    optional = {field.name for field in msgspec.structs.fields(ours) if not field.required}
    assert needed <= set(get_type_hints(ours)) - optional
