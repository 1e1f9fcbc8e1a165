"""Reads the configuration of a model in the form of transformers: the file `config.json` of its folder."""

from collections.abc import Mapping
from typing import Any, Final

from services.memory import quantization
from services.memory.architecture import Architecture, Latent
from services.memory.config_numbers import needed, number_or, shown
from services.memory.errors import UnknownModelError
from services.memory.layer_patterns import layers_of

_BYTES_OF_DTYPE: Final = {"float32": 4, "float16": 2, "bfloat16": 2}
_GEMMA: Final = frozenset({"gemma2", "gemma3_text"})
# Of these a bias of queries, keys and values is not said in the configuration.
_BIASED: Final = frozenset({"qwen2", "qwen2_moe"})
_KNOWN: Final = frozenset(
    {
        "llama",
        "mistral",
        "mixtral",
        "qwen2",
        "qwen3",
        "qwen3_moe",
        "gemma2",
        "gemma3_text",
        "deepseek_v2",
        "deepseek_v3",
        "llama4_text",
        "gpt_oss",
    }
)


def known_types() -> tuple[str, ...]:
    """Returns every `model_type` whose memory is counted."""
    return tuple(sorted(_KNOWN))


def read(config: Mapping[str, Any], *, dtype: str = "auto") -> Architecture:
    """Returns the shape that a configuration describes; UnknownModelError for one that is not known."""
    text = config.get("text_config")
    part: Mapping[str, Any] = {**config, **text} if isinstance(text, Mapping) else config
    model_type = str(part.get("model_type", ""))
    if model_type not in _KNOWN:
        raise UnknownModelError(
            f"the model_type {shown(model_type)} is not counted here; counted are {', '.join(known_types())}"
        )
    hidden, heads = needed(part, "hidden_size"), needed(part, "num_attention_heads")
    is_gemma = model_type in _GEMMA
    return Architecture(
        model_type=model_type,
        layers=layers_of(model_type, part),
        hidden=hidden,
        vocabulary=needed(part, "vocab_size"),
        heads=heads,
        kv_heads=number_or(part, "num_key_value_heads", heads),
        head_dim=number_or(part, "head_dim", max(1, hidden // heads)),
        context_tokens=needed(part, "max_position_embeddings"),
        weight_bytes=_weight_bytes(part, dtype),
        # Gemma's configurations leave out what is always so.
        is_tied=bool(part.get("tie_word_embeddings", is_gemma)),
        has_qkv_bias=model_type in _BIASED or bool(part.get("attention_bias")),
        has_output_bias=model_type not in _BIASED and bool(part.get("attention_bias")),
        has_mlp_bias=bool(part.get("mlp_bias")),
        has_head_norms=model_type in {"qwen3", "qwen3_moe", "gemma3_text"},
        has_sinks=model_type == "gpt_oss",
        norms_per_layer=4 if is_gemma else 2,
        latent=_latent(model_type, part),
        quantization=quantization.read(part.get("quantization_config")),
        is_text_part=isinstance(text, Mapping),
    )


def _latent(model_type: str, part: Mapping[str, Any]) -> Latent | None:
    if not model_type.startswith("deepseek"):
        return None
    return Latent(
        kv_rank=needed(part, "kv_lora_rank"),
        rope_dim=needed(part, "qk_rope_head_dim"),
        nope_dim=needed(part, "qk_nope_head_dim"),
        value_dim=needed(part, "v_head_dim"),
        query_rank=number_or(part, "q_lora_rank", 0),
    )


def _weight_bytes(part: Mapping[str, Any], asked: str) -> int:
    said = str(part.get("dtype") or part.get("torch_dtype") or "bfloat16").removeprefix("torch.")
    # vLLM's own choice for float32 is half of it; tests hold it against the engine.
    chosen = ("bfloat16" if said == "float32" else said) if asked == "auto" else asked
    if chosen not in _BYTES_OF_DTYPE:
        raise UnknownModelError(
            f"the dtype {shown(chosen)} is not known here; known are {', '.join(_BYTES_OF_DTYPE)}"
        )
    return _BYTES_OF_DTYPE[chosen]
