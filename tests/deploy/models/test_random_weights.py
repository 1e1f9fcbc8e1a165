"""A model by chance is one that the transformers library reads whole, of the size that was asked for."""

from pathlib import Path

import pytest

from deploy.models.random_weights.writing import Shape, config_of, write_model

SMALL = Shape(layers=2, hidden_size=128, context_tokens=2048)


def test_the_transformers_library_reads_every_weight_and_answers(tmp_path: Path) -> None:
    import torch  # noqa: PLC0415 - seconds, which the others of this file do not wait for
    from transformers import AutoTokenizer, LlamaForCausalLM  # noqa: PLC0415

    folder = tmp_path / "model"
    parameters = write_model(folder, SMALL)
    model, told = LlamaForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(told[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert sum(one.numel() for one in model.parameters()) == parameters
    ids = AutoTokenizer.from_pretrained(folder)("Où est l'hôtel ?", return_tensors="pt").input_ids
    with torch.no_grad():
        logits = model(ids).logits
    assert logits.shape == (1, ids.shape[1], 2048)
    assert bool(torch.isfinite(logits).all())


def test_the_same_seed_writes_the_same_weights(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("same", 3), ("other", 4)):
        write_model(tmp_path / name, SMALL, seed)
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "same", "other")]
    assert weights[0] == weights[1] != weights[2]


def test_the_size_that_stands_in_the_runbook_is_a_few_hundred_million() -> None:
    config = config_of(Shape())
    hidden, wide, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    attention = 2 * hidden * hidden + 2 * hidden * config["num_key_value_heads"] * config["head_dim"]
    parameters = (
        layers * (attention + 3 * hidden * wide + 2 * hidden) + config["vocab_size"] * hidden + hidden
    )
    assert round(parameters / 1e6) == 285


def test_a_folder_that_is_there_is_left_alone_and_a_shape_without_heads_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        write_model(tmp_path, SMALL)
    with pytest.raises(ValueError, match="multiple of 128"):
        write_model(tmp_path / "new", Shape(hidden_size=100))
