"""The JSON of calls of tools: the pieces of a stream, and whole calls in a message."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from services.edge.domain.generation import ToolCallDelta
from services.edge.domain.openai.answers import inner, quoted
from services.edge.domain.openai.pieces import Pieces


def piece_json(piece: ToolCallDelta) -> str:
    """Returns the `tool_calls` of a chunk; SDKs add up what stands in it, so a name comes once."""
    arguments = f'"arguments":{quoted(piece.arguments)}'
    if not piece.name:
        return f'"tool_calls":[{{"index":{piece.index},"function":{{{arguments}}}}}]'
    return (
        f'"tool_calls":[{{"index":{piece.index},"id":{quoted(piece.call_id)},"type":"function",'
        f'"function":{{"name":{quoted(piece.name)},{arguments}}}}}]'
    )


def older_piece_json(piece: ToolCallDelta) -> str:
    """Returns the `function_call` of a chunk, for a request whose tools are functions."""
    name = f'"name":{quoted(piece.name)},' if piece.name else ""
    return f'"function_call":{{{name}"arguments":{quoted(piece.arguments)}}}'


@dataclass(slots=True)
class _Call:
    call_id: str
    name: str
    # As JSON.
    arguments: Pieces = field(default_factory=Pieces)

    def parts(self) -> Iterator[bytes | bytearray]:
        yield f'{{"id":{quoted(self.call_id)},"type":"function","function":'.encode()
        yield from self.function_parts()
        yield b"}"

    def function_parts(self) -> Iterator[bytes | bytearray]:
        yield f'{{"name":{quoted(self.name)},"arguments":"'.encode()
        yield from self.arguments.parts()
        yield b'"}'


class CalledTools:
    """The calls of one message, put together from their pieces."""

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, piece: ToolCallDelta) -> int:
        """Takes one piece, and returns how many bytes more are held."""
        call = self._calls.setdefault(piece.index, _Call(piece.call_id, piece.name))
        return call.arguments.add(inner(piece.arguments))

    def parts(self, *, is_function: bool = False) -> Iterator[bytes | bytearray]:
        """Yields what a message says of its calls, behind what stands there already; nothing without any.

        `is_function` says it in the older words, which have room for the first one.
        """
        if is_function and self:
            yield b',"function_call":'
            yield from self._calls[min(self._calls)].function_parts()
            return
        for number, (_, call) in enumerate(sorted(self._calls.items())):
            yield b"," if number else b',"tool_calls":['
            yield from call.parts()
        if self._calls:
            yield b"]"
