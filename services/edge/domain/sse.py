"""Server-sent events of one streamed answer, byte for byte as OpenAI's SDKs read them.

No `event:`, `id:` or `retry:` line ever: the SDKs misread chunks that have one.
"""

from services.edge.domain.chat import Finished
from services.edge.domain.completion import quoted, usage_json

DONE = b"data: [DONE]\n\n"
# A comment, and no blank line behind it: a blank line ends an event. Old parsers take a comment with its
# blank line for an event without data, and fail on that (openai-go before its issue 621, and every
# parser that has seen an `id:` line). Like this it is part of the next frame, which all of them read.
PING = b": ping\n"


class ChunkWriter:
    """Frames of one answer; what is the same in every chunk is written once."""

    def __init__(self, *, request_hex: str, model: str, created_seconds: int, includes_usage: bool) -> None:
        self._head = (
            f'data: {{"id":"chatcmpl-{request_hex}","object":"chat.completion.chunk",'
            f'"created":{created_seconds},"model":{quoted(model)},"choices":['
        )
        self._includes_usage = includes_usage
        usage = ',"usage":null' if includes_usage else ""
        self._end = f"{usage}}}\n\n"
        self._text_head = f'{self._head}{{"index":0,"delta":{{"content":'.encode()
        self._text_end = f'}},"logprobs":null,"finish_reason":null}}]{self._end}'.encode()

    def role(self) -> bytes:
        """The first frame: who speaks, and no text yet."""
        return (
            f'{self._head}{{"index":0,"delta":{{"role":"assistant","content":""}},'
            f'"logprobs":null,"finish_reason":null}}]{self._end}'
        ).encode()

    def text(self, text: str) -> bytes:
        """A frame with new text; the one that runs once per token."""
        return b"%b%b%b" % (self._text_head, quoted(text).encode(), self._text_end)

    def finish(self, finished: Finished) -> bytes:
        """The last frames before the end: why it ended, and the counts if they were asked for."""
        choice = (
            f'{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"{finished.finish_reason.value}"}}'
        )
        frames = f"{self._head}{choice}]{self._end}"
        if self._includes_usage:
            frames += f'{self._head}],"usage":{usage_json(finished)}}}\n\n'
        return frames.encode()


def error_frame(error_body: bytes) -> bytes:
    """A failure after the stream began; both SDKs raise on it, and the end follows."""
    return b"data: %b\n\n" % error_body
