"""The JSON of calls of tools: the pieces of a stream, and whole calls in a message."""

from services.edge.domain.generation import ToolCallDelta
from services.edge.domain.openai.answers import quoted


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


class CalledTools:
    """The calls of one message, put together from their pieces."""

    def __init__(self) -> None:
        self._calls: dict[int, list[ToolCallDelta]] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, piece: ToolCallDelta) -> None:
        """Takes one piece."""
        self._calls.setdefault(piece.index, []).append(piece)

    def json(self, *, is_function: bool = False) -> str:
        """Returns what a message says of its calls, behind what stands there already; nothing without any.

        `is_function` says it in the older words, which have room for the first one.
        """
        if is_function and self:
            return f',"function_call":{_function_json(self._calls[min(self._calls)])}'
        calls = ",".join(_call_json(pieces) for _, pieces in sorted(self._calls.items()))
        return f',"tool_calls":[{calls}]' if calls else ""


def _call_json(pieces: list[ToolCallDelta]) -> str:
    return f'{{"id":{quoted(pieces[0].call_id)},"type":"function","function":{_function_json(pieces)}}}'


def _function_json(pieces: list[ToolCallDelta]) -> str:
    arguments = "".join(piece.arguments for piece in pieces)
    return f'{{"name":{quoted(pieces[0].name)},"arguments":{quoted(arguments)}}}'
