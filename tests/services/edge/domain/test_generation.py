from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.generation import GenerationRequest, Message, Role


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_the_bound_on_prompt_tokens_holds_every_byte_and_the_template(texts: list[str]) -> None:
    chat = GenerationRequest("m", tuple(Message(Role.USER, text) for text in texts))
    assert chat.prompt_tokens_upper_bound == len("".join(texts).encode()) + 16 * len(texts) + 64


@given(st.text(), st.lists(st.integers(0, 9), min_size=1))
def test_a_prompt_is_bounded_by_its_bytes_or_is_its_tokens(text: str, ids: list[int]) -> None:
    of_text = GenerationRequest("m", (), prompt=text)
    assert of_text.prompt_tokens_upper_bound == len(text.encode()) + 4
    of_ids = GenerationRequest("m", (), prompt=tuple(ids))
    assert of_ids.prompt_tokens_upper_bound == len(ids)
    assert of_text.without_text().prompt is of_ids.without_text().prompt is None
