import pytest

from services.memory.errors import UnknownModelError
from services.memory.quantization import read


def test_gptq_and_awq_keep_a_scale_and_a_zero_for_each_group() -> None:
    for method in ("gptq", "awq"):
        stored = read({"quant_method": method, "bits": 4, "group_size": 128})
        assert stored is not None
        # 4096 x 4096 in half a byte; 32 groups of a row, each a float16 and half a byte.
        assert stored.bytes_of(4_096, 4_096) == 4_096 * 4_096 // 2 + 4_096 * 32 * 5 // 2


def test_fp8_has_a_scale_for_each_block_or_for_each_row() -> None:
    blocks = read({"quant_method": "fp8", "weight_block_size": [128, 128]})
    rows = read({"quant_method": "fp8"})
    assert blocks is not None
    assert rows is not None
    assert blocks.bytes_of(256, 512) == 256 * 512 + 2 * 4 * 4
    assert rows.bytes_of(256, 512) == 256 * 512 + 256 * 4


def test_int8_of_compressed_tensors_has_a_scale_for_each_row() -> None:
    weights = {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": True}
    stored = read({"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": weights}}})
    assert stored is not None
    assert stored.bytes_of(256, 512) == 256 * 512 + 256 * 2


def test_mxfp4_has_a_byte_for_each_32_numbers() -> None:
    stored = read({"quant_method": "mxfp4"})
    assert stored is not None
    assert stored.bytes_of(64, 128) == 64 * 128 // 2 + 64 * 4


def test_modules_that_are_left_out_keep_their_numbers() -> None:
    stored = read(
        {
            "quant_method": "mxfp4",
            "modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.gate"],
        }
    )
    assert stored is not None
    assert not stored.covers("self_attn.q_proj")
    assert stored.covers("mlp.experts.gate_proj")
    assert stored.covers("mlp.gate_proj")


def test_a_method_that_is_not_known_is_refused_by_its_name() -> None:
    with pytest.raises(UnknownModelError, match="quantization quip is not known"):
        read({"quant_method": "quip"})
    assert read(None) is None
