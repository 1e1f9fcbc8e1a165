"""What each layer of a known model keeps and computes: windows, chunks, and which layers have experts."""

from collections.abc import Mapping
from typing import Any, Final

from services.memory.architecture import AttentionKind, Experts, Layer
from services.memory.config_numbers import listed, needed, number_or
from services.memory.errors import UnknownModelError

# transformers' own pattern, where a configuration of Gemma 3 does not say it.
_GEMMA3_PATTERN: Final = 6
# And where one of Llama 4 does not say which layers have no rotary positions.
_ROPE_PATTERN: Final = 4
_MOST_LAYERS: Final = 10_000


def layers_of(model_type: str, part: Mapping[str, Any]) -> tuple[Layer, ...]:
    """Returns the layers in their order."""
    count = needed(part, "num_hidden_layers", most=_MOST_LAYERS)
    return tuple(_layer(model_type, part, index) for index in range(count))


def _layer(model_type: str, part: Mapping[str, Any], index: int) -> Layer:
    kind, window = _attention(model_type, part, index)
    experts = _experts(model_type, part, index)
    dense = "intermediate_size_mlp" if model_type == "llama4_text" else "intermediate_size"
    return Layer(kind, window, 0 if experts else needed(part, dense), experts)


def _attention(model_type: str, part: Mapping[str, Any], index: int) -> tuple[AttentionKind, int]:
    if model_type.startswith("deepseek"):
        return AttentionKind.LATENT, 0
    if model_type == "llama4_text":
        # A layer without rotary positions sees everything; the others see their chunk.
        chunk = number_or(part, "attention_chunk_size", 0)
        is_chunked = chunk > 0 and _has_rope(part, index)
        return (AttentionKind.CHUNKED, chunk) if is_chunked else (AttentionKind.FULL, 0)
    window = number_or(part, "sliding_window", 0)
    if window and _slides(model_type, part, index):
        return AttentionKind.SLIDING, window
    return AttentionKind.FULL, 0


def _has_rope(part: Mapping[str, Any], index: int) -> bool:
    said = listed(part, "no_rope_layers", part["num_hidden_layers"])
    if said is not None:
        # The name says the opposite of what it holds: 1 is a layer with rotary positions.
        return bool(said[index])
    return (index + 1) % number_or(part, "no_rope_layer_interval", _ROPE_PATTERN) != 0


def _slides(model_type: str, part: Mapping[str, Any], index: int) -> bool:
    said = listed(part, "layer_types", part["num_hidden_layers"])
    if said is not None:
        return bool(said[index] == "sliding_attention")
    match model_type:
        case "mistral" | "mixtral":
            return True
        case "gemma2" | "gpt_oss":
            return index % 2 == 0
        case "gemma3_text":
            return (index + 1) % number_or(part, "sliding_window_pattern", _GEMMA3_PATTERN) != 0
        case "qwen2" | "qwen3" | "qwen3_moe":
            return bool(part.get("use_sliding_window")) and index >= number_or(part, "max_window_layers", 0)
    return False


def _experts(model_type: str, part: Mapping[str, Any], index: int) -> Experts | None:
    per_token = number_or(part, "num_experts_per_tok", 1)
    match model_type:
        case "mixtral" | "gpt_oss":
            return Experts(
                needed(part, "num_local_experts"),
                per_token,
                needed(part, "intermediate_size"),
                has_biases=model_type == "gpt_oss",
            )
        case "qwen3_moe" if _is_sparse(part, index):
            return Experts(needed(part, "num_experts"), per_token, needed(part, "moe_intermediate_size"))
        case "llama4_text" if (index + 1) % number_or(part, "interleave_moe_layer_step", 1) == 0:
            size = needed(part, "intermediate_size")
            return Experts(needed(part, "num_local_experts"), per_token, size, shared_intermediate=size)
        case "deepseek_v2" | "deepseek_v3" if _is_routed(part, index):
            size = needed(part, "moe_intermediate_size")
            return Experts(
                needed(part, "n_routed_experts"),
                per_token,
                size,
                shared_intermediate=size * number_or(part, "n_shared_experts", 0),
                has_correction=part.get("topk_method") == "noaux_tc",
            )
    return None


def _is_sparse(part: Mapping[str, Any], index: int) -> bool:
    left_out = part.get("mlp_only_layers") or []
    if not isinstance(left_out, list):
        raise UnknownModelError("mlp_only_layers of the configuration has to be a list")
    return index not in left_out and (index + 1) % number_or(part, "decoder_sparse_step", 1) == 0


def _is_routed(part: Mapping[str, Any], index: int) -> bool:
    first, every = number_or(part, "first_k_dense_replace", 0), number_or(part, "moe_layer_freq", 1)
    return index >= first and index % every == 0
