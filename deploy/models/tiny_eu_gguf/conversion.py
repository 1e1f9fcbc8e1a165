"""A Llama of the transformers library with a byte-level tokenizer becomes a GGUF file, number by number."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import gguf
import numpy as np
from safetensors.numpy import load_file

_ARCHITECTURE: Final = "llama"
_OF_LAYERS: Final = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def convert(folder: Path, target: Path) -> None:
    """Writes the file; weights stay as they are."""
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(target, _ARCHITECTURE)
    _add_shape(writer, config)
    _add_tokenizer(writer, folder, config)
    for name, values in _tensors(load_file(folder / "model.safetensors"), config):
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_shape(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    writer.add_vocab_size(config["vocab_size"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])


def _add_tokenizer(writer: gguf.GGUFWriter, folder: Path, config: dict[str, Any]) -> None:
    told = json.loads((folder / "tokenizer.json").read_text())
    controls = {token["id"]: token["content"] for token in told["added_tokens"]}
    known = {number: token for token, number in told["model"]["vocab"].items()} | controls
    numbers = range(config["vocab_size"])
    types = [gguf.TokenType.CONTROL if number in controls else gguf.TokenType.NORMAL for number in numbers]
    writer.add_tokenizer_model("gpt2")
    # The expression by which the ByteLevel of the tokenizers library cuts words.
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([known[number] for number in numbers])
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(pair) for pair in told["model"]["merges"]])
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(value=True)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    # A model of vectors has none.
    if "chat_template" in settings:
        writer.add_chat_template(settings["chat_template"])


def _tensors(
    weights: dict[str, np.ndarray[Any, Any]], config: dict[str, Any]
) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    for name, values in weights.items():
        path = name.removeprefix("model.").removesuffix(".weight")
        if path.startswith("layers."):
            _, layer, part = path.split(".", 2)
            heads = {"self_attn.q_proj": "num_attention_heads", "self_attn.k_proj": "num_key_value_heads"}
            rows = _interleaved(values, config[heads[part]]) if part in heads else values
            yield f"blk.{layer}.{_OF_LAYERS[part]}.weight", rows
        else:
            named = {"embed_tokens": "token_embd", "norm": "output_norm", "lm_head": "output"}
            yield f"{named[path]}.weight", values


def _interleaved(values: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """Returns the rows of each head in the order in which llama.cpp rotates them, pairs side by side."""
    halves = values.reshape(heads, 2, values.shape[0] // heads // 2, *values.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(values.shape))
