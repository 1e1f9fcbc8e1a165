"""What the JSON of all answers has in common: texts and counts."""

from json.encoder import encode_basestring

from services.edge.domain.generation import Finished

# Line ends to some readers of server-sent events, and to no JSON reader.
_LINE_ENDS = (("\x85", "\\u0085"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))


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
