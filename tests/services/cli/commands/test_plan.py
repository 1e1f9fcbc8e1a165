"""plan: tables for people, an object for programs, and a sentence where an assumption cannot be."""

import json
from pathlib import Path

import pytest

from services.cli.capacity.assumptions import Assumptions
from tests.services.cli.running import Terminal

TINY = Path(__file__).parents[4] / "deploy" / "models" / "tiny-eu"


def test_every_assumption_is_an_option_with_its_default(terminal: Terminal) -> None:
    said = terminal.comptoir("plan", "--json")
    assert said.status == 0
    assert json.loads(said.out)["assumed"] == Assumptions().model_dump()


def test_what_is_assumed_changes_what_is_needed(terminal: Terminal) -> None:
    few, many = (
        json.loads(terminal.comptoir("plan", "--json", "--streams", "100000", "--core-speed", speed).out)
        for speed in ("2", "1")
    )
    assert few["plan"]["cells"] < many["plan"]["cells"] == 23
    assert many["ceilings"][0]["part"] == "one edge"


def test_the_tables_say_how_many_and_what_breaks_first(terminal: Terminal) -> None:
    said = terminal.comptoir("plan", "--streams", "100000")
    assert said.status == 0
    assert "docs/scaling.md" in said.out
    assert any("routers" in line and "46" in line for line in said.out.splitlines())
    assert "full first" in said.out


def test_what_cannot_be_is_one_sentence_with_its_option(terminal: Terminal) -> None:
    said = terminal.comptoir("plan", "--utilization", "1.5")
    assert (said.status, said.err) == (
        1,
        "comptoir: --utilization: Input should be less than or equal to 1.\n",
    )
    tight = terminal.comptoir(
        "plan", "--streams", "1000000", "--edge-memory-mebibytes", "1", "--core-speed", "50"
    )
    assert (
        tight.err
        == "comptoir: --edge-memory-mebibytes does not hold an edge's connections to the replicas.\n"
    )


H100 = ("plan", "--model", "llama-3.1-8b", "--gpu", "h100", "--context", "8192")


def test_a_replica_that_holds_the_load_is_shown_in_80_columns(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    said = terminal.comptoir(*H100, "--concurrency", "32")
    assert said.status == 0
    assert max(map(len, said.out.splitlines())) <= 80
    for shown in ("14.96 GiB", "131,072 B", "512 blocks of 16", "fits", "1 x h100", "EUR/M tokens"):
        assert shown in said.out


def test_programs_get_bytes_tokens_and_seconds(terminal: Terminal) -> None:
    found = json.loads(terminal.comptoir(*H100, "--concurrency", "32", "--json").out)
    assert found["weight_bytes"] == 16_060_522_496
    assert (found["kv_bytes_per_token"], found["blocks_per_request"]) == (131_072, 512)
    assert found["fits"]
    assert found["kv_bytes"] == found["usable_bytes"] - found["weight_bytes"] - found["reserve_bytes"]
    assert found["most_requests"] == found["blocks"] // 512
    assert found["headroom_bytes"] == (found["blocks"] - 32 * 512) * found["block_bytes"]
    assert found["cheapest"]["gpu"] in {one["gpu"] for one in found["choices"]}


def test_what_does_not_fit_is_told_with_numbers_and_what_would(terminal: Terminal) -> None:
    said = terminal.comptoir(
        "plan", "--model", "llama-3.1-8b", "--gpu", "h100", "--concurrency", "32", "--json"
    )
    found = json.loads(said.out)
    assert (said.status, found["fits"], found["decoding"]) == (1, False, None)
    assert said.err == f"comptoir: {found['refusal']}\n"
    assert "32 x 131,072 tokens need 529.7 GiB of a h100, of which the engine may use 72.8" in said.err
    assert "--tensor-parallel 8" in said.err
    shorter = str(found["longest_context"])
    assert f"--context {shorter}" in said.err
    again = ("plan", "--model", "llama-3.1-8b", "--gpu", "h100", "--concurrency", "32", "--context", shorter)
    assert terminal.comptoir(*again).status == 0


@pytest.mark.parametrize(
    ("concurrency", "more", "sentence"),
    [
        ("400", (), "do with --kv-dtype fp8."),
        ("400", ("--kv-dtype", "fp8"), "The load fits with --gpu"),
        ("1500", (), "ask fewer tokens, or share the requests among replicas."),
        ("1500", ("--kv-dtype", "fp8"), "ask fewer tokens, or share the requests among replicas."),
    ],
)
def test_a_cache_in_fp8_is_advised_where_it_is_none_and_would_help(
    terminal: Terminal, concurrency: str, more: tuple[str, ...], sentence: str
) -> None:
    load = ("--gpu", "h100", "--context", "16384", "--concurrency", concurrency)
    said = terminal.comptoir("plan", "--model", "llama-3.1-70b", *load, *more)
    assert said.status == 1
    assert sentence in said.err
    assert ("--kv-dtype" in said.err) is (sentence == "do with --kv-dtype fp8.")


def test_without_a_gpu_the_cheapest_that_fits_is_taken(terminal: Terminal) -> None:
    found = json.loads(terminal.comptoir("plan", "--model", "gemma-3-1b", "--context", "4096", "--json").out)
    assert found["gpu"]["name"] == found["cheapest"]["gpu"] == "t4"


def test_a_cache_in_fp8_is_not_put_on_gpus_without_it_unless_they_are_named(terminal: Terminal) -> None:
    asked = ("plan", "--model", "gemma-3-1b", "--context", "4096", "--kv-dtype", "fp8", "--json")
    found = json.loads(terminal.comptoir(*asked).out)
    assert not {"t4", "a100-40", "a100-80"} & {one["gpu"] for one in found["choices"]}
    assert json.loads(terminal.comptoir(*asked, "--gpu", "t4").out)["fits"]


def test_the_arithmetic_is_explained_line_by_line(terminal: Terminal) -> None:
    said = terminal.comptoir(*H100, "--concurrency", "32", "--explain").out
    assert "16 tokens x 8 heads x 2 x 128 x 2 B = 65,536 B" in said
    assert "3,350 GB/s (NVIDIA H100 data sheet" in said
    latent = terminal.comptoir(
        "plan", "--model", "deepseek-v3", "--gpu", "h200", "--tensor-parallel", "8", "--explain"
    )
    assert "(512 latent + 64 rotary), whole on each GPU" in latent.out


def test_a_folder_is_counted_by_its_files(terminal: Terminal) -> None:
    found = json.loads(terminal.comptoir("plan", "--model", str(TINY), "--gpu", "t4", "--json").out)
    assert (found["weights_from"], found["parameters"]) == ("files", 1_000_576)
    assert found["weight_bytes"] == 2 * 1_000_576


def test_with_streams_a_region_is_made_of_the_replicas(terminal: Terminal) -> None:
    both = (*H100, "--concurrency", "32", "--streams", "1000")
    found = json.loads(terminal.comptoir(*both, "--json").out)
    assert found["region"]["assumed"]["streams_per_replica"] == 32
    assert found["region"]["plan"]["replicas"] == 32
    assert "32 replicas are 32 x h100" in terminal.comptoir(*both).out
    slow = terminal.refusal(*both, "--tokens-per-second", "500")
    assert "--tokens-per-second asks 500" in slow


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--gpu", "h100"), "--gpu is of a replica's memory: add --model."),
        (
            (*H100[1:], "--core-speed", "2"),
            "--core-speed is of a region: add --streams, or leave out --model.",
        ),
        (
            (*H100[1:], "--streams", "9", "--streams-per-replica", "9"),
            "is --concurrency where --model is given",
        ),
        (("--model", "nowhere/at-all"), "there is no folder nowhere/at-all"),
        (("--model", "llama-3.1-8b", "--gpu", "h900"), "it has b200, h200, h100"),
        (("--model", "llama-3.1-8b", "--context", "200000"), "more than the 131,072 that"),
        (
            ("--model", "qwen2.5-7b", "--gpu", "h100", "--tensor-parallel", "8"),
            "does not divide the model's 28",
        ),
        (("--model", "llama-3.1-8b", "--tensor-parallel", "4"), "--tensor-parallel needs --gpu"),
        (("--model", "llama-3.1-8b", "--reserve-gib", "-1"), "--reserve-gib: Input should be"),
        (("--model", "deepseek-v3", "--concurrency", "9000"), "name one with --gpu to see what it holds"),
    ],
)
def test_what_cannot_be_planned_is_one_sentence(
    terminal: Terminal, arguments: tuple[str, ...], sentence: str
) -> None:
    assert sentence in terminal.refusal("plan", *arguments)


def test_help_teaches_both_kinds_of_plan(terminal: Terminal) -> None:
    said = terminal.comptoir("plan", "--help").out
    assert "comptoir plan --model llama-3.1-8b --gpu h100" in said
    assert "comptoir plan --streams 100000" in said
