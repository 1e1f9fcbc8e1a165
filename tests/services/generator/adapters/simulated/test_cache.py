from hypothesis import given
from hypothesis import strategies as st

from services.generator.adapters.simulated.cache import PrefixCache

IDS = st.lists(st.integers(0, 3), min_size=1, max_size=40)


@given(IDS, IDS)
def test_what_is_cached_is_whole_blocks_of_a_shared_prefix(first: list[int], second: list[int]) -> None:
    cache = PrefixCache(blocks=100, block_tokens=4)
    cache.add(first, "a")
    shared = 0
    while shared < min(len(first), len(second)) and first[shared] == second[shared]:
        shared += 1
    cached = cache.cached_tokens(second, "a")
    assert cached == min(shared, len(second) - 1) // 4 * 4
    assert cache.cached_tokens(second, "b") == 0


def test_the_longest_unused_block_goes_first() -> None:
    cache = PrefixCache(blocks=2, block_tokens=1)
    cache.add([1], "s")
    cache.add([2], "s")
    assert cache.cached_tokens([1, 9], "s") == 1
    cache.add([3], "s")
    assert cache.cached_tokens([2, 9], "s") == 0
    assert cache.cached_tokens([1, 9], "s") == 1
