"""What stands for a pattern that looks around matches nothing that the pattern does not."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.generator.domain.look_around_patterns import WITHOUT_LOOKING

# Python's expressions have no such classes.
_EMOJI = (
    (r"\p{Extended_Pictographic}", "🙂🚀"),
    (r"\p{Regional_Indicator}", "🇦-🇿"),
    (r"\p{Emoji_Component}", "🏻\u200d🇦-🇿"),
)


def in_python(pattern: str) -> str:
    for name, characters in _EMOJI:
        pattern = pattern.replace(f"[{name}]", f"[{characters}]")
        pattern = pattern.replace(f"^{name}", f"^[{characters}]").replace(name, characters)
    return pattern


@settings(max_examples=20)
@pytest.mark.parametrize(("looking", "plain"), WITHOUT_LOOKING.items())
@given(data=st.data())
def test_what_matches_it_matches_the_pattern_as_it_was_sent(
    looking: str, plain: str, data: st.DataObject
) -> None:
    text = data.draw(st.from_regex(re.compile(in_python(plain), re.ASCII), fullmatch=True))
    assert re.search(in_python(looking), text) is not None
