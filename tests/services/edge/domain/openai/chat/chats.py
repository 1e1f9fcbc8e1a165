"""What the tests of chats share: a plain one, any JSON, and how one is refused."""

from typing import Any

import pytest
from hypothesis import strategies as st

from services.edge.domain.openai.chat.request import parse_chat
from services.kernel.errors import ComptoirError

USER: dict[str, Any] = {"role": "user", "content": "Bonjour"}
CHAT: dict[str, Any] = {"model": "tiny-eu", "messages": [USER]}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["user", "assistant", "tool", "text", "image_url", "none"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "tool_calls", "include_usage"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


def refusal(**changes: object) -> ComptoirError:
    with pytest.raises(ComptoirError) as raised:
        parse_chat(CHAT | changes)
    return raised.value
