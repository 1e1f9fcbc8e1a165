from pathlib import Path

import pytest

from deploy.local.stack.errors import StackError
from services.cli.adapters.model_folder import find_model, known_models


def test_a_hubs_id_finds_the_configuration_that_ships() -> None:
    found = find_model("meta-llama/Meta-Llama-3.1-8B-Instruct")
    assert (found.name, found.config["num_hidden_layers"]) == ("llama-3.1-8b", 32)
    assert found.weight_bytes(2) is None
    assert len(known_models()) >= 6


def test_a_configuration_alone_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    assert find_model(str(tmp_path / "config.json")).config == {"model_type": "llama"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("{", "is not JSON"), ("[1]", "is not an object of JSON"), (None, "cannot be read")],
)
def test_a_folder_without_a_configuration_is_refused(tmp_path: Path, text: str | None, sentence: str) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(StackError, match=sentence):
        find_model(str(tmp_path))


def test_a_file_of_weights_that_is_none_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model-00001.safetensors").write_bytes(b"\xff" * 9)
    with pytest.raises(StackError, match=r"model-00001\.safetensors of the model: a file of weights says"):
        find_model(str(tmp_path))
