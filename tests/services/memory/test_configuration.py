import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.memory import configuration
from services.memory.errors import UnknownModelError
from services.memory.stages import bytes_of, parameters_of
from tests.services.memory.models import NAMES, config_of, shape_of

# As the models' publishers and the files of their weights say them.
PUBLISHED = {
    "llama-3.1-8b": 8_030_261_248,
    "llama-3.1-70b": 70_553_706_496,
    "mistral-7b-v0.1": 7_241_732_096,
    "mixtral-8x7b": 46_702_792_704,
    "qwen2.5-7b": 7_615_616_512,
    "qwen3-30b-a3b": 30_532_122_624,
    "gemma-3-1b": 999_885_952,
    "deepseek-v2-lite": 15_706_484_224,
    "gpt-oss-20b": 20_914_757_184,
    "llama-4-scout": 107_769_861_120,
}


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_model_has_the_parameters_that_were_published(name: str) -> None:
    assert parameters_of(shape_of(name)) == PUBLISHED[name]


def test_every_model_that_ships_is_read() -> None:
    assert len(NAMES) >= 6
    assert all(bytes_of(shape_of(name)) > 0 for name in NAMES)


def test_a_model_type_that_is_not_known_is_named_with_those_that_are() -> None:
    with pytest.raises(
        UnknownModelError, match="model_type mamba2 is not counted here; counted are deepseek_v2"
    ):
        configuration.read({**config_of("llama-3.1-8b"), "model_type": "mamba2"})


@pytest.mark.parametrize(
    "changed",
    [
        {"model_type": "\x1b]0;seen\x07"},
        {"model_type": "a" * 1000},
        {"dtype": "\x1b[2J"},
        {"quantization_config": {"quant_method": "\x1b[2J"}},
    ],
)
def test_what_is_no_name_is_not_repeated_to_a_terminal(changed: dict[str, object]) -> None:
    with pytest.raises(UnknownModelError) as refused:
        configuration.read({**config_of("llama-3.1-8b"), **changed})
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


def test_the_text_part_of_a_configuration_is_read_and_the_rest_is_said_to_be_left_out() -> None:
    text = config_of("gemma-3-1b")
    shape = configuration.read(
        {"model_type": "gemma3", "text_config": text, "vision_config": {"hidden_size": 1}}
    )
    assert parameters_of(shape) == PUBLISHED["gemma-3-1b"]
    assert shape.is_text_part


def test_a_float32_model_is_loaded_in_half_and_as_it_is_where_that_is_asked() -> None:
    config = {**config_of("llama-3.1-8b"), "dtype": "float32"}
    assert configuration.read(config).weight_bytes == 2
    assert configuration.read(config, dtype="float32").weight_bytes == 4


def test_fp8_is_a_byte_for_each_number_with_a_scale_for_each_block() -> None:
    whole = configuration.read({**config_of("deepseek-v3"), "quantization_config": None})
    # Of the 671 billion numbers all but embeddings, norms and routers are halved.
    assert 0.50 < bytes_of(shape_of("deepseek-v3")) / bytes_of(whole) < 0.51


@given(
    st.dictionaries(
        st.sampled_from(sorted(config_of("gemma-3-1b"))),
        st.none() | st.integers(-5, 10) | st.text(max_size=5) | st.booleans(),
        max_size=4,
    )
)
def test_whatever_a_configuration_says_it_is_read_or_refused_in_a_sentence(
    changed: dict[str, object],
) -> None:
    try:
        configuration.read({**config_of("gemma-3-1b"), **changed})
    except UnknownModelError as error:
        assert str(error)  # noqa: PT017 - either is right
