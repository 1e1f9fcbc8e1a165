"""Bytes of quantised weights, with their scales, by what a configuration says of its method."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from services.memory.config_numbers import needed, number_or, shown
from services.memory.errors import UnknownModelError

_MXFP4_GROUP: Final = 32
_BITSANDBYTES_GROUP: Final = 64
_MOST_BITS: Final = 16


@dataclass(frozen=True, slots=True)
class Quantization:
    """How a matrix is stored: bits of a number, and what is kept beside for each group of them."""

    method: str
    bits: int
    group_columns: int = 0
    """Numbers of a row that share a scale; 0 where a row has one."""
    group_rows: int = 1
    scale_bytes: float = 2.0
    has_zeros: bool = False
    left_out: tuple[str, ...] = ()
    """Names of modules, or of what they are in, whose weights stay as they are."""

    def covers(self, name: str) -> bool:
        """Whether the matrix of a name is quantised."""
        return not any(f".{part}." in f".{name}." for part in self.left_out)

    def bytes_of(self, rows: int, columns: int) -> int:
        """Returns the bytes of a matrix with its scales and zero points."""
        groups = math.ceil(columns / self.group_columns) if self.group_columns else 1
        scales = groups * math.ceil(rows / self.group_rows)
        beside = self.scale_bytes + (self.bits / 8 if self.has_zeros else 0.0)
        return math.ceil(rows * columns * self.bits / 8 + scales * beside)


def read(config: Any) -> Quantization | None:
    """Returns what a configuration's `quantization_config` says; UnknownModelError for an unknown method."""
    if not config:
        return None
    if not isinstance(config, Mapping):
        raise UnknownModelError("quantization_config of the configuration has to be an object")
    method = str(config.get("quant_method", "")).replace("_", "-")
    left_out = _left_out(config)
    match method:
        case "fp8" | "fbgemm-fp8":
            return _fp8(method, config.get("weight_block_size"), left_out)
        case "gptq" | "awq" | "awq-marlin" | "gptq-marlin":
            bits, group = _bits(config, "bits"), _group(config, "group_size", 128)
            # Scales are float16, zero points of as many bits as the numbers.
            return Quantization(method, bits, group, has_zeros=True, left_out=left_out)
        case "mxfp4":
            return Quantization(method, 4, _MXFP4_GROUP, scale_bytes=1.0, left_out=left_out)
        case "bitsandbytes":
            bits = 4 if config.get("load_in_4bit") or config.get("_load_in_4bit") else 8
            group = _BITSANDBYTES_GROUP if bits == 4 else 0  # noqa: PLR2004 - of its two kinds
            return Quantization(method, bits, group, scale_bytes=4.0, left_out=left_out)
        case "compressed-tensors":
            return _compressed_tensors(config, left_out)
    raise UnknownModelError(
        f"the quantization {shown(method)} is not known here; known are fp8, gptq, awq, mxfp4, "
        "bitsandbytes and compressed-tensors"
    )


def _fp8(method: str, blocks: Any, left_out: tuple[str, ...]) -> Quantization:
    if isinstance(blocks, Sequence) and len(blocks) == 2:  # noqa: PLR2004 - rows and columns
        if not all(type(size) is int and size > 0 for size in blocks):
            raise UnknownModelError("weight_block_size has to be two numbers of 1 or more")
        return Quantization(method, 8, blocks[1], blocks[0], scale_bytes=4.0, left_out=left_out)
    return Quantization(method, 8, scale_bytes=4.0, left_out=left_out)


def _compressed_tensors(config: Mapping[str, Any], left_out: tuple[str, ...]) -> Quantization:
    groups = config.get("config_groups")
    schemes = (
        [one.get("weights") for one in groups.values() if isinstance(one, Mapping)]
        if isinstance(groups, Mapping)
        else []
    )
    if len(schemes) != 1 or not isinstance(schemes[0], Mapping):
        raise UnknownModelError("compressed-tensors with other than one group of weights is not known here")
    weights = schemes[0]
    bits, group = _bits(weights, "num_bits"), _group(weights, "group_size", 0)
    return Quantization(
        "compressed-tensors",
        bits,
        group,
        has_zeros=weights.get("symmetric") is False,
        left_out=left_out,
    )


def _bits(scheme: Mapping[str, Any], key: str) -> int:
    return needed(scheme, key, most=_MOST_BITS)


def _group(scheme: Mapping[str, Any], key: str, otherwise: int) -> int:
    # -1 is a scale for a whole row.
    return 0 if scheme.get(key) == -1 else number_or(scheme, key, otherwise)


def _left_out(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns parts of names without layers' numbers, wildcards or what a pattern begins with."""
    named: list[str] = []
    for key in ("modules_to_not_convert", "ignore", "ignored_layers", "llm_int8_skip_modules"):
        value = config.get(key)
        named += [str(one) for one in value] if isinstance(value, list | tuple) else []
    plain = (re.sub(r"^re:|\\|\.\*|\*|^model\.|layers\.\d*\.?", "", name) for name in named)
    return tuple(sorted({name.strip(".") for name in plain} - {""}))
