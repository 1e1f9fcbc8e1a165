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


class CalledTools:
    """The calls of one message, put together from their pieces."""

    def __init__(self) -> None:
        self._calls: dict[int, list[ToolCallDelta]] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, piece: ToolCallDelta) -> None:
        """Takes one piece."""
        self._calls.setdefault(piece.index, []).append(piece)

    def json(self) -> str:
        """Returns what a message says of its calls, behind what stands there already; nothing without any."""
        calls = ",".join(_call_json(pieces) for _, pieces in sorted(self._calls.items()))
        return f',"tool_calls":[{calls}]' if calls else ""


def _call_json(pieces: list[ToolCallDelta]) -> str:
    first, arguments = pieces[0], "".join(piece.arguments for piece in pieces)
    return (
        f'{{"id":{quoted(first.call_id)},"type":"function",'
        f'"function":{{"name":{quoted(first.name)},"arguments":{quoted(arguments)}}}}}'
    )
