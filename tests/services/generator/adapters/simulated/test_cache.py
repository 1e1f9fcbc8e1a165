from hypothesis import given
from hypothesis import strategies as st

from services.generator.adapters.simulated.cache import PrefixCache
from services.kernel.steps import finished

IDS = st.lists(st.integers(0, 3), min_size=1, max_size=40)


def add(cache: PrefixCache, ids: list[int], salt: str) -> None:
    cache.add(finished(cache.chain_steps(ids, salt)))


def cached_tokens(cache: PrefixCache, ids: list[int], salt: str) -> int:
    return cache.cached_tokens(finished(cache.chain_steps(ids, salt)), len(ids))


@given(IDS, IDS)
def test_what_is_cached_is_whole_blocks_of_a_shared_prefix(first: list[int], second: list[int]) -> None:
    cache = PrefixCache(blocks=100, block_tokens=4)
    add(cache, first, "a")
    shared = 0
    while shared < min(len(first), len(second)) and first[shared] == second[shared]:
        shared += 1
    cached = cached_tokens(cache, second, "a")
    assert cached == min(shared, len(second) - 1) // 4 * 4
    assert cached_tokens(cache, second, "b") == 0


def test_the_longest_unused_block_goes_first() -> None:
    cache = PrefixCache(blocks=2, block_tokens=1)
    add(cache, [1], "s")
    add(cache, [2], "s")
    assert cached_tokens(cache, [1, 9], "s") == 1
    add(cache, [3], "s")
    assert cached_tokens(cache, [2, 9], "s") == 0
    assert cached_tokens(cache, [1, 9], "s") == 1
