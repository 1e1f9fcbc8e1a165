"""The JSON of a chat's answer: one completion object, or the chunks of a stream."""

from services.edge.domain.generation import Finished
from services.edge.domain.openai.answers import quoted, usage_json


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
