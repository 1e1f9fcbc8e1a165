"""The JSON of an answer: one completion object, or the chunks of a stream."""

from collections.abc import Sequence
from json.encoder import encode_basestring
from typing import Protocol

from services.edge.domain.chat import Finished

# Line ends to some readers of server-sent events, and to no JSON reader.
_LINE_ENDS = (("\x85", "\\u0085"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))


class ModelFacts(Protocol):
    """What the list of models says of one."""

    @property
    def name(self) -> str:
        """Name in requests."""
        ...

    @property
    def created_at_seconds(self) -> int:
        """When the catalog took it up."""
        ...


def quoted(text: str) -> str:
    """`text` as a JSON string on one line, whatever a reader takes for the end of a line."""
    literal = encode_basestring(text)
    if not text.isascii():
        for character, escape in _LINE_ENDS:
            literal = literal.replace(character, escape)
    return literal


def usage_json(finished: Finished) -> str:
    """The `usage` object, in OpenAI's words."""
    total = finished.input_tokens + finished.output_tokens
    return (
        f'{{"prompt_tokens":{finished.input_tokens},"completion_tokens":{finished.output_tokens},'
        f'"total_tokens":{total},"prompt_tokens_details":{{"cached_tokens":{finished.cached_input_tokens}}}}}'
    )


def completion_json(
    *, request_hex: str, model: str, created_seconds: int, text: str, finished: Finished
) -> bytes:
    """A whole `chat.completion`."""
    return (
        f'{{"id":"chatcmpl-{request_hex}","object":"chat.completion","created":{created_seconds},'
        f'"model":{quoted(model)},"choices":[{{"index":0,"message":{{"role":"assistant",'
        f'"content":{quoted(text)},"refusal":null}},"logprobs":null,'
        f'"finish_reason":"{finished.finish_reason.value}"}}],"usage":{usage_json(finished)}}}'
    ).encode()


def model_json(model: ModelFacts) -> str:
    """One `model` object."""
    return (
        f'{{"id":{quoted(model.name)},"object":"model","created":{model.created_at_seconds},'
        '"owned_by":"comptoir"}'
    )


def model_list_json(models: Sequence[ModelFacts]) -> bytes:
    """The `list` object of models."""
    return f'{{"object":"list","data":[{",".join(map(model_json, models))}]}}'.encode()
