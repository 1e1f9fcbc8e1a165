import pytest

from services.memory.config_numbers import listed, needed, number_or
from services.memory.errors import UnknownModelError


@pytest.mark.parametrize("value", [None, 0, -1, True, "8", 1.5, 10**10])
def test_a_number_that_is_needed_is_there_and_within_its_bounds(value: object) -> None:
    assert needed({"layers": 8}, "layers") == 8
    with pytest.raises(UnknownModelError, match="needs layers as a number from 1 to"):
        needed({"layers": value}, "layers")


def test_a_number_that_may_be_left_out_has_another_for_it() -> None:
    assert [number_or(part, "a", 3) for part in ({}, {"a": None}, {"a": 0}, {"a": 5})] == [3, 3, 3, 5]
    with pytest.raises(UnknownModelError, match="a of the configuration"):
        number_or({"a": -1}, "a", 3)


def test_a_list_has_an_item_for_each_layer() -> None:
    assert listed({"a": [1, 2]}, "a", 2) == [1, 2]
    assert listed({"a": []}, "a", 2) is None
    with pytest.raises(UnknownModelError, match="for each of 3 layers"):
        listed({"a": [1, 2]}, "a", 3)
