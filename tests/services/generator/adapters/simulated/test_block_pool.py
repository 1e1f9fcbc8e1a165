from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from services.generator.adapters.simulated.block_pool import BlockPool
from services.generator.adapters.simulated.scheduler import chain_steps
from services.kernel.steps import finished

IDS = st.lists(st.integers(0, 3), min_size=1, max_size=40)


def hold(pool: BlockPool, contents: Sequence[int]) -> list[int]:
    """Takes blocks for contents, as a request does that computes all of them."""
    blocks = pool.take(len(contents))
    for block, content in zip(blocks, contents, strict=True):
        pool.fill(block, content)
    return blocks


@given(IDS, IDS)
def test_what_is_found_is_whole_blocks_of_a_shared_prefix(first: list[int], second: list[int]) -> None:
    pool = BlockPool(100)
    pool.give_back(hold(pool, finished(chain_steps(1, first, 4))))
    shared = 0
    while shared < min(len(first), len(second)) and first[shared] == second[shared]:
        shared += 1
    chain = finished(chain_steps(1, second, 4))
    assert len(pool.found(chain, len(chain))) == shared // 4
    assert pool.found(finished(chain_steps(2, second, 4)), 100) == []


def test_the_longest_unused_block_goes_first_and_what_is_used_never() -> None:
    pool = BlockPool(3)
    (used,) = hold(pool, [1])
    pool.give_back(hold(pool, [2]))
    pool.give_back(hold(pool, [3]))
    pool.share(found := pool.found([2], 1))
    pool.give_back(found)
    pool.take(1)
    assert pool.found([3], 1) == []
    assert pool.found([2], 1) == found
    assert pool.found([1], 1) == [used]


def test_the_end_of_a_prompt_goes_before_its_beginning() -> None:
    pool = BlockPool(3)
    pool.give_back(hold(pool, [1, 2, 3]))
    pool.take(1)
    assert len(pool.found([1, 2, 3], 3)) == 2


def test_a_block_that_holds_nothing_whole_is_taken_before_all_that_can_be_found() -> None:
    pool = BlockPool(3)
    whole = hold(pool, [1, 2])
    half = pool.take(1)
    pool.give_back([*whole, *half])
    assert pool.take(1) == half
    assert len(pool.found([1, 2], 2)) == 2


def test_two_requests_that_compute_the_same_have_a_block_each_and_the_first_is_found() -> None:
    pool = BlockPool(3)
    first, second = hold(pool, [1]), hold(pool, [1])
    assert pool.found([1], 1) == first
    pool.give_back(first)
    pool.give_back(second)
    pool.take(1)
    pool.take(1)
    assert pool.found([1], 1) == second


def test_what_is_free_and_shared_counts_as_taken() -> None:
    pool = BlockPool(2)
    pool.give_back(hold(pool, [1]))
    found = pool.found([1], 1)
    assert (pool.free_blocks, pool.unused(found), pool.usage) == (2, 1, 0.0)
    pool.share(found)
    assert (pool.free_blocks, pool.unused(found), pool.usage) == (1, 0, 0.5)
