"""The first token of an answer to a long prompt costs no more than any other, and its text is the same."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.generator.adapters.vllm.environment import quiet_import, set_environment

pytestmark = pytest.mark.vllm

MODEL = Path(__file__).parents[5] / "deploy" / "models" / "tiny-eu"
TEXT = st.text(alphabet="ab é€😀中 .\n", max_size=300)


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    set_environment(is_download_allowed=False, cpu_threads=1)
    with quiet_import():
        from transformers import AutoTokenizer  # noqa: F401, PLC0415

        import services.generator.adapters.vllm.prompt_end  # noqa: F401, PLC0415


@cache
def tokenizer() -> Any:
    from transformers import AutoTokenizer  # noqa: PLC0415 - after its environment

    return AutoTokenizer.from_pretrained(MODEL)


def decoder(prompt_ids: list[int], *, is_ours: bool) -> Any:
    known = tokenizer()
    from vllm.sampling_params import SamplingParams  # noqa: PLC0415 - after its environment
    from vllm.v1.engine import EngineCoreRequest  # noqa: PLC0415
    from vllm.v1.engine.detokenizer import FastIncrementalDetokenizer  # noqa: PLC0415

    from services.generator.adapters.vllm.prompt_end import _from_the_end  # noqa: PLC0415

    request = EngineCoreRequest(
        request_id="1",
        external_req_id="1",
        prompt_token_ids=prompt_ids,
        mm_features=None,
        sampling_params=SamplingParams(),
        pooling_params=None,
        arrival_time=0.0,
        lora_request=None,
        cache_salt=None,
        data_parallel_rank=None,
    )
    return (_from_the_end if is_ours else FastIncrementalDetokenizer)(known, request)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(alphabet="ab é€😀中 .\n", min_size=1, max_size=300), TEXT, st.integers(0, 3))
def test_an_answer_behind_the_end_of_a_prompt_reads_as_behind_all_of_it(
    prompt: str, answer: str, cut: int
) -> None:
    known = tokenizer()
    ids = known.encode(prompt + answer, add_special_tokens=False)
    # Also within a letter, which is the answer's then, and nothing else of the prompt.
    begin = min(len(ids), len(known.encode(prompt, add_special_tokens=False)) + cut)
    ours = decoder(ids[:begin], is_ours=True)
    said = [ours.decode_next(each) for each in ids[begin:]]
    if begin < len(ids):
        assert "".join(said) == known.decode(ids)[len(known.decode(ids[:begin]).rstrip("\ufffd")) :]
    if not known.decode(ids[:begin]).endswith("\ufffd"):
        theirs = decoder(ids[:begin], is_ours=False)
        assert said == [theirs.decode_next(each) for each in ids[begin:]]


def test_no_more_of_a_long_prompt_is_decoded_than_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer()
    from tokenizers import decoders  # noqa: PLC0415 - after its environment

    from services.generator.adapters.vllm.prompt_end import END_TOKENS  # noqa: PLC0415

    begun_with: list[int] = []
    made = decoders.DecodeStream

    def counted(*, ids: list[int], skip_special_tokens: bool) -> Any:
        begun_with.append(len(ids))
        return made(ids=ids, skip_special_tokens=skip_special_tokens)

    monkeypatch.setattr(decoders, "DecodeStream", counted)
    decoder([65] * 10_000, is_ours=True)
    assert begun_with == [END_TOKENS]
