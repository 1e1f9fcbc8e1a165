"""What the JSON of all answers has in common: texts and counts."""

from json.encoder import encode_basestring
from typing import Final

from services.edge.domain.generation import Counts

# Line ends to some readers of server-sent events, and to no JSON reader.
_LINE_ENDS: Final = (("\x85", "\\u0085"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))


def quoted(text: str) -> str:
    """Returns `text` as a JSON string on one line, whatever a reader takes for the end of a line."""
    return on_one_line(encode_basestring(text))


def inner(text: str) -> str:
    """Returns what stands between the quotes of `quoted`: that of texts is that of their pieces, joined."""
    return quoted(text)[1:-1]


def on_one_line(document: str) -> str:
    """Returns a JSON document of one line as one to every reader: further line ends stand in its strings."""
    if not document.isascii():
        for character, escape in _LINE_ENDS:
            document = document.replace(character, escape)
    return document


def usage_json(counts: Counts) -> str:
    """Returns the `usage` object, in OpenAI's words."""
    total = counts.input_tokens + counts.output_tokens
    return (
        f'{{"prompt_tokens":{counts.input_tokens},"completion_tokens":{counts.output_tokens},'
        f'"total_tokens":{total},"prompt_tokens_details":{{"cached_tokens":{counts.cached_input_tokens}}},'
        f'"completion_tokens_details":{{"reasoning_tokens":{counts.reasoning_tokens}}}}}'
    )
