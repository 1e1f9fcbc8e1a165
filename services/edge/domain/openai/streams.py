"""Server-sent events, byte for byte as OpenAI's SDKs read them.

No `event:`, `id:` or `retry:` line ever: the SDKs misread chunks that have one.
"""

from typing import Final

DONE: Final = b"data: [DONE]\n\n"
# A comment, and no blank line behind it: a blank line ends an event. Old parsers take a comment with its
# blank line for an event without data, and fail on that (openai-go before its issue 621, and every
# parser that has seen an `id:` line). Like this it is part of the next frame, which all of them read.
PING: Final = b": ping\n"
# The same, while no replica is ready yet.
WAITING: Final = b": waiting\n"


def error_frame(error_body: bytes) -> bytes:
    """Returns the event of a failure after the stream began; both SDKs raise on it, and the end follows."""
    return b"data: %b\n\n" % error_body
