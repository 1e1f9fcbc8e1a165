"""Server-sent events, byte for byte as OpenAI's SDKs read them.

Chats and completions have no `event:` line ever, since the SDKs misread chunks that have one, and responses
have one in every frame. No `id:` or `retry:` line in either.
"""

from typing import Final

DONE: Final = b"data: [DONE]\n\n"
# A comment, and no blank line behind it: a blank line ends an event. Old parsers take a comment with its
# blank line for an event without data, and fail on that (openai-go before its issue 621, and every
# parser that has seen an `id:` line). Like this it is part of the next frame, which all of them read.
PING: Final = b": ping\n"
# The same, while no replica is ready yet.
WAITING: Final = b": waiting\n"
EVENT_END: Final = b"}\n\n"


def failed_stream(error_body: bytes) -> bytes:
    """Returns the event of a failure after the stream began, on which the SDKs raise, and the end."""
    return b"data: %b\n\n" % error_body + DONE


def event_start(kind: str, sequence_number: int) -> bytes:
    """Returns the start of the event of a response, up to the members of its own.

    Its `data` is a JSON object on one line, which says its kind too, and ends with EVENT_END.
    """
    return f'event: {kind}\ndata: {{"type":"{kind}","sequence_number":{sequence_number},'.encode()
