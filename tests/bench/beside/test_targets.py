import json

import pytest

from deploy.local.stack.config import build_config
from deploy.local.stack.options import Addresses, StackOptions
from deploy.local.stack.paths import DataPaths
from services.edge.settings import EdgeSettings
from services.generator.adapters.vllm.arguments import engine_arguments
from services.generator.settings import GeneratorSettings
from services.router.settings import RouterSettings
from tests.bench.beside import idle_streams, models, targets
from tests.system.stack_process import REPOSITORY

MODEL = models.tiny((1,))


def test_every_engine_is_told_what_the_generator_tells_its_own() -> None:
    served, parameters = targets.engine_of(MODEL, "float32")
    assert (parameters.dtype, parameters.kv_cache_memory_bytes) == ("float32", MODEL.kv_cache_bytes)
    words = targets.command_line(engine_arguments(served, parameters, is_cpu=True))
    assert words[words.index("--dtype") + 1] == "float32"
    assert words[words.index("--max-model-len") + 1] == "2048"
    assert "--no-enable-chunked-prefill" in words
    assert json.loads(words[words.index("--structured-outputs-config") + 1])["backend"] == "guidance"


def test_what_is_left_to_vllm_is_no_option_and_what_is_off_is_said() -> None:
    told = {
        "dtype": "auto",
        "enforce_eager": True,
        "trust_remote_code": False,
        "max_num_batched_tokens": None,
    }
    assert targets.command_line(told) == ["--dtype", "auto", "--enforce-eager", "--no-trust-remote-code"]


@pytest.mark.parametrize(
    ("section", "settings"),
    [("edge", EdgeSettings), ("router", RouterSettings), ("generator", GeneratorSettings)],
)
def test_settings_for_idle_streams_are_settings(
    section: str, settings: type[EdgeSettings] | type[RouterSettings] | type[GeneratorSettings]
) -> None:
    overrides = targets.simulated_settings(idle_streams.overrides_of(10_000))
    options = StackOptions(REPOSITORY / "comptoir-data", engine="simulated", overrides=overrides)
    document = build_config(options, Addresses(8400), DataPaths(options.data_dir))
    settings.model_validate({name: document[name] for name in ("region", "catalog")} | document[section])


def test_no_more_streams_are_held_than_files_may_be_open() -> None:
    assert idle_streams.possible_streams(10_000, 20_000) == 10_000
    assert idle_streams.possible_streams(10_000, 4096) == 3584
    assert idle_streams.possible_streams(10_000, 256) == 0
