"""An answer that is told in one piece: its messages put together, up to what one message may hold."""

from typing import Final

from services.generator.domain.delta import Delta, TokenChoice, ToolCallPart
from services.generator.domain.generation import Finished, Message, Started
from services.kernel.errors import ComptoirError, Numbers, Reason

# Every library of gRPC receives 4 MiB unless it is told otherwise; what stands around the choices is little.
MAX_BYTES: Final = 4 * 1024 * 1024 - 16 * 1024
# As much as the schema's numbers and lengths take beside a text, a token with its logprob, an id, a call.
_AROUND_A_CHOICE_BYTES: Final = 16
_AROUND_A_TOKEN_BYTES: Final = 24
_ID_BYTES: Final = 5
_AROUND_A_CALL_BYTES: Final = 32


class WholeChoice:
    """One of the answers that were asked for, as far as it came."""

    __slots__ = ("_reasoning", "_texts", "calls", "token_ids", "tokens")

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._reasoning: list[str] = []
        self.calls: dict[int, ToolCallPart] = {}
        self.tokens: list[TokenChoice] = []
        self.token_ids: list[int] = []

    @property
    def text(self) -> str:
        """What it says."""
        return "".join(self._texts)

    @property
    def reasoning(self) -> str:
        """What the model thought before."""
        return "".join(self._reasoning)

    def add(self, delta: Delta) -> None:
        """Takes what is new of it."""
        self._texts.append(delta.text)
        self._reasoning.append(delta.reasoning)
        self.tokens.extend(delta.tokens)
        self.token_ids.extend(delta.token_ids)
        if delta.tool_call is not None:
            self._add_call(delta.tool_call)

    def _add_call(self, part: ToolCallPart) -> None:
        said = self.calls.get(part.index)
        if said is not None:
            part = ToolCallPart(part.index, said.call_id, said.name, said.arguments + part.arguments)
        self.calls[part.index] = part


class WholeAnswer:
    """The messages of one generation; `started` and `finished` are set once it has ended well."""

    def __init__(self, *, max_bytes: int = 0) -> None:
        self._choices: dict[int, WholeChoice] = {}
        self._left_bytes = self._max_bytes = max_bytes or MAX_BYTES
        self.started: Started | None = None
        self.finished: Finished | None = None

    def put(self, message: Message) -> None:
        """Takes a message in; raises ANSWER_TOO_LARGE for more than one message may hold."""
        if isinstance(message, Delta):
            self._left_bytes -= _most_bytes(message)
            if self._left_bytes < 0:
                raise ComptoirError(Reason.ANSWER_TOO_LARGE, numbers=Numbers(limit=self._max_bytes))
            self._choice(message.index).add(message)
        elif isinstance(message, Started):
            self.started = message
        else:
            self.finished = message

    @property
    def choices(self) -> list[WholeChoice]:
        """The answers by index; one that says nothing too."""
        count = 1 if self.finished is None else len(self.finished.outcomes)
        return [self._choice(index) for index in range(count)]

    def _choice(self, index: int) -> WholeChoice:
        return self._choices.setdefault(index, WholeChoice())


def _most_bytes(delta: Delta) -> int:
    """Returns as many bytes as a delta adds to a message, at most."""
    text_bytes = _AROUND_A_CHOICE_BYTES + _bytes_of(delta.text) + _bytes_of(delta.reasoning)
    text_bytes += _ID_BYTES * len(delta.token_ids)
    for token in delta.tokens:
        likeliest = sum(_AROUND_A_TOKEN_BYTES + len(each.token) for each in token.likeliest)
        text_bytes += _AROUND_A_TOKEN_BYTES + len(token.chosen.token) + likeliest
    call = delta.tool_call
    if call is not None:
        said = map(_bytes_of, (call.call_id, call.name, call.arguments))
        text_bytes += _AROUND_A_CALL_BYTES + sum(said)
    return text_bytes


def _bytes_of(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
