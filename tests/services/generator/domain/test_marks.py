from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.marks import begun

MARK = "</think>"


@given(st.text(st.sampled_from(MARK), max_size=20))
def test_what_may_be_the_beginning_of_a_mark_is_counted_and_no_more(text: str) -> None:
    count = begun(text, MARK)
    assert MARK.startswith(text[len(text) - count :])
    assert all(not text.endswith(MARK[:longer]) for longer in range(count + 1, len(MARK)))
