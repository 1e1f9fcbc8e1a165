"""What is said of tools has a bound, in tokens."""

from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.tools import Tool, ToolCall, Tools, tool_tokens_upper_bound

TOOLS = st.builds(Tool, st.text(min_size=1, max_size=5), st.text(max_size=9), st.text(max_size=9))
CALLS = st.builds(ToolCall, st.text(max_size=5), st.text(max_size=5), st.text(max_size=9))


def test_a_chat_that_says_nothing_of_tools_has_no_more_tokens() -> None:
    assert tool_tokens_upper_bound(None, ()) == 0


@given(st.lists(TOOLS, min_size=1, max_size=3).map(tuple), st.lists(CALLS, max_size=3).map(tuple))
def test_each_tool_and_each_call_has_room_for_its_bytes_thrice(
    tools: tuple[Tool, ...], calls: tuple[ToolCall, ...]
) -> None:
    told = sum(tool_tokens_upper_bound(Tools((tool,)), ()) for tool in tools)
    called = sum(tool_tokens_upper_bound(None, (call,)) for call in calls)
    assert tool_tokens_upper_bound(Tools(tools), calls) == told + called
    texts = "".join(tool.name + tool.description + tool.parameters_schema for tool in tools)
    assert told > 3 * len(texts.encode())
