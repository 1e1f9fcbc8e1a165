"""The embedding model in the repository: small, of a known shape, and made from tiny-eu's corpus."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

from deploy.models.tiny_embed_eu_training.pairs import batches, pairs

MODELS = Path(__file__).parents[3] / "deploy" / "models"
MODEL = MODELS / "tiny-embed-eu"


def read(name: str) -> Any:
    return json.loads((MODEL / name).read_text(encoding="utf-8"))


def test_all_files_have_at_most_two_megabytes() -> None:
    assert sum(file.stat().st_size for file in MODEL.rglob("*") if file.is_file()) <= 2_000_000


def test_config_is_that_of_a_small_llama_whose_vectors_can_be_cut() -> None:
    config = read("config.json")
    assert config["architectures"] == ["LlamaModel"]
    assert (config["hidden_size"], config["max_position_embeddings"]) == (128, 512)
    assert config["matryoshka_dimensions"] == [32, 64, 128]


def test_vectors_are_means_of_length_one() -> None:
    assert [module["type"].rpartition(".")[2] for module in read("modules.json")] == [
        "Transformer",
        "Pooling",
        "Normalize",
    ]
    assert read("1_Pooling/config.json")["pooling_mode_mean_tokens"] is True


def test_the_tokenizer_is_that_of_tiny_eu_without_a_chat_template() -> None:
    assert (MODEL / "tokenizer.json").read_bytes() == (MODELS / "tiny-eu" / "tokenizer.json").read_bytes()
    assert "chat_template" not in read("tokenizer_config.json")


def test_the_same_seed_gives_the_same_pairs_and_batches() -> None:
    found = pairs(3, 200)
    assert found == pairs(3, 200)
    first = list(islice(batches(found, 8, 5), 3))
    assert first == list(islice(batches(found, 8, 5), 3))
    assert all(len({answer for _, answer in batch}) == len(batch) == 8 for batch in first)
