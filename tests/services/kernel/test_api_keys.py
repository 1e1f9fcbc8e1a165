"""API keys: every key made is recognised, and no damaged one is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.api_keys import make_key, region_of

ENTROPY = st.binary(min_size=16, max_size=16)
REGIONS = st.from_regex(r"[a-z]{2}-[a-z0-9]{1,12}", fullmatch=True)


@given(REGIONS, ENTROPY)
def test_a_made_key_has_the_form_and_names_its_region(region: str, entropy: bytes) -> None:
    api_key = make_key(region, entropy)
    assert re.fullmatch(r"cptr_[a-z0-9-]+_[0-9A-Za-z]{28}", api_key)
    assert region_of(api_key) == region


@given(ENTROPY, ENTROPY)
def test_different_entropy_makes_different_keys(one: bytes, other: bytes) -> None:
    assert (make_key("eu-fr", one) == make_key("eu-fr", other)) == (one == other)


@given(ENTROPY, st.integers(min_value=0), st.characters())
def test_one_wrong_character_is_seen_without_a_look_up(entropy: bytes, place: int, character: str) -> None:
    api_key = make_key("eu-fr", entropy)
    place %= len(api_key)
    damaged = api_key[:place] + character + api_key[place + 1 :]
    assert (region_of(damaged) is None) == (damaged != api_key)


@given(st.text(max_size=300))
def test_any_other_text_is_no_key(text: str) -> None:
    assert region_of(text) is None


@pytest.mark.parametrize("wrong", ["", " {}", "{} ", "{}\n", "Bearer {}", "{}{}"])
def test_nothing_may_stand_around_a_key(wrong: str) -> None:
    api_key = make_key("eu-fr", bytes(16))
    assert region_of(wrong.format(api_key, api_key)) is None


@pytest.mark.parametrize(("region", "length"), [("eu-fr", 15), ("eu_fr", 16), ("EU", 16), ("", 16)])
def test_a_key_is_not_made_of_too_little_or_of_a_region_that_could_not_be_read(
    region: str, length: int
) -> None:
    with pytest.raises(ValueError, match="a key needs"):
        make_key(region, bytes(length))
