"""A Llama with the tokenizer of tiny-eu and weights by chance, as transformers and every engine read it."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

_TINY_EU: Final = Path(__file__).parents[1] / "tiny-eu"
_TOKENIZER: Final = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
# Every engine has kernels for it.
_HEAD_SIZE: Final = 64
_HEADS_PER_KV_HEAD: Final = 2
_DEVIATION: Final = 0.02

Weights = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Shape:
    """How large it is; what is not said follows from these. As it stands, 285 million parameters."""

    layers: int = 24
    hidden_size: int = 1024
    context_tokens: int = 32_768

    @property
    def intermediate_size(self) -> int:
        """The width within a layer: some 2.75 times the hidden size, in whole tiles."""
        return self.hidden_size * 11 // 4 // 32 * 32

    @property
    def heads(self) -> int:
        """How many heads ask; half as many hold keys and values."""
        return self.hidden_size // _HEAD_SIZE

    @property
    def kv_size(self) -> int:
        """The width of the keys of one token in a layer."""
        return self.heads // _HEADS_PER_KV_HEAD * _HEAD_SIZE


def write_model(folder: Path, shape: Shape, seed: int = 0) -> int:
    """Writes the folder and returns how many parameters the model has; raises FileExistsError."""
    if shape.hidden_size % (_HEAD_SIZE * _HEADS_PER_KV_HEAD) or shape.layers < 1:
        raise ValueError("the hidden size is a multiple of 128, and there is a layer")
    config = config_of(shape)
    folder.mkdir(parents=True)
    for name in _TOKENIZER:
        shutil.copyfile(_TINY_EU / name, folder / name)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    tensors = dict(_tensors(shape, config["vocab_size"], np.random.default_rng(seed)))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return sum(values.size for values in tensors.values())


def config_of(shape: Shape) -> dict[str, Any]:
    """Returns its `config.json`: tiny-eu's, of another size."""
    config: dict[str, Any] = json.loads((_TINY_EU / "config.json").read_text())
    return config | {
        "dtype": "float16",
        "head_dim": _HEAD_SIZE,
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "max_position_embeddings": shape.context_tokens,
        "num_attention_heads": shape.heads,
        "num_hidden_layers": shape.layers,
        "num_key_value_heads": shape.heads // _HEADS_PER_KV_HEAD,
    }


def _tensors(shape: Shape, vocabulary: int, chance: np.random.Generator) -> Iterator[tuple[str, Weights]]:
    hidden, wide = shape.hidden_size, shape.intermediate_size

    def random(rows: int, columns: int) -> Weights:
        return (chance.standard_normal((rows, columns), dtype=np.float32) * _DEVIATION).astype(np.float16)

    # The embeddings are its output too.
    yield "model.embed_tokens.weight", random(vocabulary, hidden)
    yield "model.norm.weight", np.ones(hidden, np.float16)
    for layer in range(shape.layers):
        name = f"model.layers.{layer}"
        yield f"{name}.input_layernorm.weight", np.ones(hidden, np.float16)
        yield f"{name}.post_attention_layernorm.weight", np.ones(hidden, np.float16)
        yield f"{name}.self_attn.q_proj.weight", random(hidden, hidden)
        yield f"{name}.self_attn.k_proj.weight", random(shape.kv_size, hidden)
        yield f"{name}.self_attn.v_proj.weight", random(shape.kv_size, hidden)
        yield f"{name}.self_attn.o_proj.weight", random(hidden, hidden)
        yield f"{name}.mlp.gate_proj.weight", random(wide, hidden)
        yield f"{name}.mlp.up_proj.weight", random(wide, hidden)
        yield f"{name}.mlp.down_proj.weight", random(hidden, wide)
