import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.generator.domain.context_room import ContextRoom, EngineMemory, room_for_context
from services.generator.domain.engine_parameters import ServedModel, VllmParameters
from services.memory.architecture import Architecture
from tests.services.memory.models import shape_of

MIB = 2**20
GIB = 2**30
CPU = EngineMemory(is_cpu=True)
# Of bfloat16 it keeps 131,072 bytes of a token.
LLAMA = shape_of("llama-3.1-8b")
BLOCK_BYTES = 128 * 131_072


def on_cpu(context_tokens: int, kv_bytes: int, shape: Architecture = LLAMA) -> ContextRoom:
    room = room_for_context(
        shape, ServedModel(context_tokens), VllmParameters(kv_cache_memory_bytes=kv_bytes), CPU
    )
    assert room is not None
    return room


def test_a_context_that_fills_every_block_but_one_fits_and_one_token_more_does_not() -> None:
    has = 11 * BLOCK_BYTES
    fits = on_cpu(10 * 128, has)
    assert (fits.fits, fits.longest_tokens, fits.needed_bytes) == (True, 10 * 128, has)
    beyond = on_cpu(10 * 128 + 1, has)
    assert (beyond.fits, beyond.is_certain, beyond.longest_tokens) == (False, True, 10 * 128)
    assert (beyond.has_bytes, beyond.needed_bytes) == (has, has + BLOCK_BYTES)


@given(st.integers(1, 131_072), st.integers(1, 40_000 * MIB), st.sampled_from(["llama-3.1-8b", "gemma-3-1b"]))
def test_the_largest_context_that_is_told_fits_and_the_bytes_that_are_told_suffice(
    context_tokens: int, kv_bytes: int, name: str
) -> None:
    shape = shape_of(name)
    context_tokens = min(context_tokens, shape.context_tokens)
    room = on_cpu(context_tokens, kv_bytes, shape)
    assert on_cpu(context_tokens, room.needed_bytes, shape).fits
    if not room.fits:
        assert room.needed_bytes > kv_bytes
        # What a window holds of a shorter context is at most what it holds of this one.
        assert room.longest_tokens == 0 or on_cpu(room.longest_tokens, kv_bytes, shape).fits


def test_a_cache_without_room_for_one_block_holds_no_context() -> None:
    assert on_cpu(1, 1).longest_tokens == 0


def test_a_cpu_without_bytes_for_its_cache_and_a_silent_gpu_are_left_to_the_engine() -> None:
    parameters = VllmParameters(kv_cache_memory_bytes=0)
    assert room_for_context(LLAMA, ServedModel(64), parameters, CPU) is None
    assert room_for_context(LLAMA, ServedModel(64), parameters, EngineMemory(is_cpu=False)) is None


@pytest.mark.parametrize(
    ("gibibytes", "context_tokens", "fits", "is_certain"),
    [
        (80, 131_072, True, False),
        # 14.96 GiB of weights and 16 of cache are in 22 GiB, with what the engine takes beside they are not.
        (35.5, 131_072, False, False),
        (24, 131_072, False, True),
        (24, 8_192, True, False),
        (12, 64, False, True),
    ],
)
def test_on_a_gpu_only_what_fits_without_any_reserve_is_tried(
    gibibytes: float, context_tokens: int, fits: bool, is_certain: bool
) -> None:
    memory = EngineMemory(is_cpu=False, accelerator_bytes=int(gibibytes * GIB))
    parameters = VllmParameters(kv_cache_memory_bytes=0)
    room = room_for_context(LLAMA, ServedModel(context_tokens), parameters, memory)
    assert room is not None
    assert (room.fits, room.is_certain) == (fits, is_certain)


def test_gpus_that_share_a_model_hold_more() -> None:
    memory = EngineMemory(is_cpu=False, accelerator_bytes=24 * GIB)
    rooms = [
        room_for_context(
            LLAMA,
            ServedModel(131_072),
            VllmParameters(kv_cache_memory_bytes=0, tensor_parallel_size=size),
            memory,
        )
        for size in (1, 2)
    ]
    assert [room is not None and room.fits for room in rooms] == [False, True]
