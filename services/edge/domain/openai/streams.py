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


def failed_stream(error_body: bytes) -> bytes:
    """Returns the event of a failure after the stream began, on which the SDKs raise, and the end."""
    return b"data: %b\n\n" % error_body + DONE


def event_frame(kind: str, data: str) -> bytes:
    """Returns the event of a response, whose `data`, a JSON object on one line, says its kind too."""
    return f"event: {kind}\ndata: {data}\n\n".encode()
