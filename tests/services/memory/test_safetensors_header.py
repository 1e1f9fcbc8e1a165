import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.memory import configuration
from services.memory.errors import UnknownModelError
from services.memory.safetensors_header import LENGTH_BYTES, header_length, loaded_bytes
from services.memory.stages import parameters_of
from tests.services.memory.models import TINY


def test_the_file_of_a_model_holds_what_its_configuration_says() -> None:
    shape = configuration.read(json.loads((TINY / "config.json").read_text()))
    with (TINY / "model.safetensors").open("rb") as file:
        header = file.read(header_length(file.read(LENGTH_BYTES)))
    assert loaded_bytes(header, 2) == 2 * parameters_of(shape)
    assert loaded_bytes(header, 4) == 4 * parameters_of(shape)


def test_what_is_quantised_stays_as_it_is() -> None:
    tensors = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F8_E4M3", "shape": [10, 10], "data_offsets": [0, 100]},
        "b": {"dtype": "F32", "shape": [5], "data_offsets": [100, 120]},
        "c": {"dtype": "I32", "shape": [3], "data_offsets": [120, 132]},
    }
    assert loaded_bytes(json.dumps(tensors).encode(), 2) == 100 + 10 + 12


@pytest.mark.parametrize("begin", [b"", b"1234567", struct.pack("<Q", 1), struct.pack("<Q", 2**60)])
def test_what_cannot_be_a_header_is_refused(begin: bytes) -> None:
    with pytest.raises(UnknownModelError):
        header_length(begin)


@given(
    st.binary(max_size=60) | st.from_regex(r"\{\"a\":(\{\}|\[\]|1|null)\}", fullmatch=True).map(str.encode)
)
def test_whatever_a_header_holds_it_is_counted_or_refused(header: bytes) -> None:
    try:
        assert loaded_bytes(header, 2) >= 0
    except UnknownModelError as error:
        assert str(error)  # noqa: PT017 - either is right


@pytest.mark.parametrize(
    "tensor",
    [
        '{"dtype": "F16", "shape": [1e999], "data_offsets": [0, 1]}',
        '{"dtype": "F16", "shape": [-9], "data_offsets": [0, 1]}',
        '{"dtype": "F16", "shape": "99", "data_offsets": [0, 1]}',
        '{"dtype": "F16", "shape": [1%s], "data_offsets": [0, 1]}' % ("0" * 400),
        '{"dtype": "I8", "shape": [1], "data_offsets": [9, 1]}',
    ],
)
def test_a_tensor_of_no_size_that_can_be_is_refused(tensor: str) -> None:
    with pytest.raises(UnknownModelError, match="cannot be read"):
        loaded_bytes(f'{{"a": {tensor}}}'.encode(), 2)
