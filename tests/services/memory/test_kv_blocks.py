from services.memory.kv_blocks import Cache, blocks_of_request, groups_of
from tests.services.memory.models import shape_of

CACHE = Cache(2, 16, 4_096)


def test_a_sliding_window_holds_its_window_and_what_is_in_flight() -> None:
    groups = groups_of(shape_of("mistral-7b-v0.1"))
    # 4,095 of the window, 4,096 in flight, and a block more.
    assert blocks_of_request(groups, 32_768, CACHE) == 513
    assert blocks_of_request(groups, 1_000, CACHE) == 64


def test_a_chunk_holds_its_tokens_and_what_is_in_flight() -> None:
    groups = groups_of(shape_of("llama-4-scout"))
    assert [len(group.layers) for group in groups] == [12, 12, 12, 12]
    assert blocks_of_request(groups, 100_000, CACHE) == 3 * 768 + 6_250


def test_layers_of_two_kinds_are_grouped_by_the_fewer_or_padded_to_the_more() -> None:
    assert [len(group.layers) for group in groups_of(shape_of("gemma-3-1b"))] == [4, 4, 4, 4, 3, 3, 4]
    assert [len(group.layers) for group in groups_of(shape_of("gpt-oss-20b"))] == [12, 12]
