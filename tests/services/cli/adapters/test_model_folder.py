import json
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.local.stack.errors import StackError
from services.cli.adapters.model_folder import find_model, known_models
from services.memory.errors import UnknownModelError


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


def weights(file: Path, tensors: Mapping[str, object]) -> None:
    header = json.dumps(tensors).encode()
    file.write_bytes(struct.pack("<Q", len(header)) + header)


def test_a_folder_that_lacks_some_of_its_files_of_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    weights(tmp_path / "a.safetensors", {"w": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"w": "a.safetensors"}}')
    assert find_model(str(tmp_path)).weight_bytes(2) == 4
    index.write_text('{"weight_map": {"w": "a.safetensors", "v": "b.safetensors", "u": "b.safetensors"}}')
    with pytest.raises(StackError, match="1 of its 2 files of weights are not there"):
        find_model(str(tmp_path))


@pytest.mark.parametrize("text", ["[", "[]", '{"weight_map": {"w": []}}', '{"weight_map": 1}'])
def test_an_index_of_weights_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors.index.json").write_text(text)
    with pytest.raises(StackError, match=r"model\.safetensors\.index\.json of the model"):
        find_model(str(tmp_path))


def test_files_without_a_tensor_are_no_weights_of_zero_bytes(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    weights(tmp_path / "a.safetensors", {})
    with pytest.raises(UnknownModelError, match="hold no weights"):
        find_model(str(tmp_path)).weight_bytes(2)
