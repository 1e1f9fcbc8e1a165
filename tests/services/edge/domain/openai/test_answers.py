import json

from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.openai.answers import quoted


@given(st.text())
def test_quoted_text_is_json_for_the_same_text(text: str) -> None:
    assert json.loads(quoted(text)) == text
