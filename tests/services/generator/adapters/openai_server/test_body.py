"""Each server is asked in its own spelling, for all that it has and nothing else."""

from collections.abc import Callable
from typing import Any

import pytest

from services.generator.adapters.openai_server.body import body_of, check_parameters
from services.generator.adapters.openai_server.kinds import KINDS
from services.generator.domain.foreign_engine import ServerKind
from services.generator.domain.ports import EngineRequest, Feature
from services.generator.domain.prompt import TokenIds
from services.generator.domain.sampling import Sampling
from services.generator.domain.structure import Structure
from services.kernel.errors import ComptoirError, Reason

EVERYTHING = Sampling(
    temperature=0.5,
    top_p=0.9,
    presence_penalty=0.1,
    frequency_penalty=0.2,
    seed=-1,
    stop=("a",),
    min_p=0.1,
    top_k=-1,
    repetition_penalty=1.1,
    logit_bias={5: -100.0},
    ignore_eos=True,
)


def asked(kind: ServerKind, sampling: Sampling = EVERYTHING, **told: object) -> dict[str, object]:
    request = EngineRequest("one", TokenIds([1, 2]), sampling, 8, **told)  # type: ignore[arg-type]
    return body_of(request, (1, 2), 1, KINDS[kind], served_model="m")


@pytest.mark.parametrize("kind", ServerKind)
def test_ids_go_out_and_a_count_is_asked_for_with_each_chunk(kind: ServerKind) -> None:
    body = asked(kind)
    assert (body["model"], body["prompt"], body["max_tokens"], body["stream"]) == ("m", [1, 2], 8, True)
    options = body["stream_options"]
    assert isinstance(options, dict)
    assert options["include_usage"] is True
    assert options.get("continuous_usage_stats") or body["timings_per_token"]


@pytest.mark.parametrize("kind", ServerKind)
def test_every_parameter_is_told_though_it_changes_nothing(kind: ServerKind) -> None:
    # A model's folder has defaults of its own, which nobody asked for.
    body = asked(kind, Sampling())
    assert (body["temperature"], body["top_p"], body["min_p"]) == (1.0, 1.0, 0.0)
    assert "seed" not in body
    assert "logit_bias" not in body


def test_spellings_are_the_servers_own() -> None:
    assert asked(ServerKind.VLLM)["top_k"] == -1
    assert asked(ServerKind.SGLANG)["top_k"] == -1
    assert asked(ServerKind.SGLANG, Sampling(top_k=0))["top_k"] == -1
    assert asked(ServerKind.TENSORRT_LLM)["top_k"] == 0
    llama = asked(ServerKind.LLAMA_CPP)
    assert (llama["repeat_penalty"], llama["repeat_last_n"], llama["top_k"]) == (1.1, 8192, 0)
    assert llama["logit_bias"] == [[5, -100.0]]
    assert llama["cache_prompt"] is False
    assert asked(ServerKind.VLLM)["logit_bias"] == {5: -100.0}


@pytest.mark.parametrize("seed", [0, -1, -(2**63), 2**63 - 1, 2**32 - 2])
@pytest.mark.parametrize("kind", ServerKind)
def test_a_seed_is_within_what_the_server_takes(kind: ServerKind, seed: int) -> None:
    told = asked(kind, Sampling(seed=seed))["seed"]
    assert isinstance(told, int)
    assert 0 <= told < KINDS[kind].most_seeds


def test_salt_and_priority_are_told_where_the_engine_has_them() -> None:
    body = asked(ServerKind.VLLM, cache_salt="s", priority=3)
    assert (body["cache_salt"], body["priority"]) == ("s", 3)
    assert not {"cache_salt", "priority"} & asked(ServerKind.TENSORRT_LLM).keys()


def test_ids_and_logprobs_are_asked_for_by_id() -> None:
    body = asked(ServerKind.VLLM, Sampling(logprobs=0))
    assert (body["logprobs"], body["return_tokens_as_token_ids"], body["return_token_ids"]) == (0, True, True)
    assert "return_token_ids" not in asked(ServerKind.VLLM)
    assert asked(ServerKind.SGLANG, returns_token_ids=True)["return_token_ids"] is True


@pytest.mark.parametrize("kind", ServerKind)
def test_what_a_server_lacks_is_refused_by_name(kind: ServerKind) -> None:
    check_parameters(Sampling(), KINDS[kind])
    lacks = {name for name in ("min_tokens", "stop_token_ids") if name not in KINDS[kind].parameters}
    assert lacks == ({"min_tokens", "stop_token_ids"} if kind is ServerKind.LLAMA_CPP else set())
    for name, sampling in (
        ("min_tokens", Sampling(min_tokens=1)),
        ("stop_token_ids", Sampling(stop_token_ids=(1,))),
    ):
        if name in lacks:
            with pytest.raises(ComptoirError) as refusal:
                check_parameters(sampling, KINDS[kind])
            assert (refusal.value.reason, refusal.value.field) == (
                Reason.PARAMETER_UNSUPPORTED,
                f"sampling.{name}",
            )


def test_no_server_is_said_to_keep_to_a_structure_or_to_end_a_section() -> None:
    # Nobody here could check a grammar before it is sent.
    for kind in KINDS.values():
        assert not kind.features & (Feature.STRUCTURE | Feature.THINKING_BUDGET | Feature.EMBEDDING)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (ServerKind.VLLM, lambda body: body["structured_outputs"]["grammar"]),
        (ServerKind.SGLANG, lambda body: body["ebnf"]),
        (ServerKind.TENSORRT_LLM, lambda body: body["response_format"]["ebnf"]),
        (ServerKind.LLAMA_CPP, lambda body: body["grammar"]),
    ],
)
def test_what_an_answer_is_held_to_is_a_grammar_that_llguidance_alone_reads(
    kind: ServerKind, said: Callable[[Any], str]
) -> None:
    grammar = said(asked(kind, structure=Structure('{"const": 5}')))
    assert grammar.startswith('%llguidance {}\nstart: %json {"const": 5')
    assert asked(kind).keys() < asked(kind, structure=Structure('{"const": 5}')).keys()
