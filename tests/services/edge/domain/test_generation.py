from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.generation import GenerationRequest, Message, Role


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_the_bound_on_prompt_tokens_holds_every_byte_and_the_template(texts: list[str]) -> None:
    chat = GenerationRequest("m", tuple(Message(Role.USER, text) for text in texts))
    assert chat.prompt_tokens_upper_bound == len("".join(texts).encode()) + 16 * len(texts) + 64
