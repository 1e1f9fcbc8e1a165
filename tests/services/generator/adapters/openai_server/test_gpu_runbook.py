"""What the runbook for GPUs says is what settings, vLLM's parser and the adapter take."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.generator.adapters.openai_server.kinds import KINDS
from services.generator.domain.foreign_engine import OpenAiServerParameters, ServerKind

ROOT = Path(__file__).parents[5]
PAGE = (ROOT / "docs" / "engines-gpu.md").read_text(encoding="utf-8")
BLOCKS: list[dict[str, Any]] = [
    yaml.safe_load(block)["generator"] for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
]
# As they stand in the modules of python/sglang/srt/arg_groups/fields of sglang 0.5.23.
OF_SGLANG = {
    "--model-path", "--host", "--port", "--served-model-name", "--context-length", "--mem-fraction-static",
    "--enable-metrics", "--enable-cache-report", "--enable-priority-scheduling", "--max-running-requests",
    "--schedule-low-priority-values-first", "--disable-priority-preemption", "--disable-radix-cache",
}  # fmt: skip
# As they stand in tensorrt_llm/commands/serve.py at 00209af1.
OF_TENSORRT_LLM = {
    "--host", "--port", "--backend", "--max_seq_len", "--max_num_tokens", "--max_batch_size",
    "--kv_cache_free_gpu_memory_fraction", "--extra_llm_api_options",
}  # fmt: skip


def said_to(program: str) -> list[str]:
    """The words of the command that the page has for a program."""
    blocks = "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).replace("\\\n", " ")
    (line,) = (
        line for line in blocks.splitlines() if f"{program} /models" in line or f"{program} --" in line
    )
    return shlex.split(line[line.index(program) + len(program) :])


@pytest.mark.parametrize("told", BLOCKS, ids=lambda told: told["openai_server"]["kind"])
def test_the_settings_of_each_server_keep_tenants_apart(told: dict[str, Any]) -> None:
    parameters = OpenAiServerParameters.model_validate(told["openai_server"])
    assert parameters.keeps_tenants_apart
    assert KINDS[parameters.kind].cache_off


def test_there_is_a_block_for_each_server_that_needs_a_gpu() -> None:
    kinds = {told["openai_server"]["kind"] for told in BLOCKS}
    assert kinds == {ServerKind.VLLM, ServerKind.SGLANG, ServerKind.TENSORRT_LLM}


@pytest.mark.parametrize(
    ("program", "known"), [("sglang serve", OF_SGLANG), ("trtllm-serve", OF_TENSORRT_LLM)]
)
def test_options_are_those_of_the_source_that_was_read(program: str, known: set[str]) -> None:
    options = {word for word in said_to(program) if word.startswith("--")}
    assert options - known == set()


@pytest.mark.vllm
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_vllms_own_parser_takes_the_options() -> None:
    from vllm.entrypoints.launchers.cli_args import make_arg_parser  # noqa: PLC0415
    from vllm.utils.argparse_utils import FlexibleArgumentParser  # noqa: PLC0415

    told = make_arg_parser(FlexibleArgumentParser()).parse_args(said_to("vllm serve"))
    assert (told.model_tag, told.max_model_len, told.max_num_seqs) == ("/models/random-285m", 32768, 4)
    assert (told.scheduling_policy, told.enable_prompt_tokens_details) == ("priority", True)
