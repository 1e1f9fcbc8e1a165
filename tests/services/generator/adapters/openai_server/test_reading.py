"""What a server says of its tokens is believed as far as it can be."""

import pytest

from services.generator.adapters.openai_server.chunks import Choice, Chunk, Usage, chunk_of
from services.generator.adapters.openai_server.reading import BrokenStreamError, ChoiceReader, Fault
from services.generator.domain.delta import EngineFinish
from services.generator.domain.ports import EngineRequest
from services.generator.domain.prompt import TokenIds
from services.generator.domain.sampling import Sampling
from services.generator.domain.structure import Structure

PROMPT = TokenIds([5, 6, 7])


def reader_of(*, logprobs: int | None = None) -> ChoiceReader:
    request = EngineRequest("one", PROMPT, Sampling(logprobs=logprobs), 8, returns_token_ids=True)

    def token_bytes(token_id: int) -> bytes:
        return token_id.to_bytes(4, "little")

    return ChoiceReader(request, 0, token_bytes, input_tokens=len(PROMPT.ids))


def test_no_more_is_cached_than_was_sent_and_no_prompt_takes_longer_than_a_day() -> None:
    reader = reader_of()
    timings = '"timings": {"prompt_ms": 1e300, "predicted_n": 1, "cache_n": 100000000000000000000000}'
    reader.read(
        chunk_of(f'{{"choices": [{{"token_ids": [5], "finish_reason": "stop"}}], {timings}}}'.encode())
    )
    measures = reader.end().measures
    assert measures is not None
    assert (measures.cached_input_tokens, measures.prefill_seconds) == (3, 86_400.0)


@pytest.mark.parametrize("told", ["-1", "2147483648", "99999999999999999999"])
@pytest.mark.parametrize("logprobs", [None, 1])
def test_what_is_no_id_of_a_token_fails_the_stream(told: str, logprobs: int | None) -> None:
    said = f'"token_ids": [{told}], "logprobs": {{"tokens": ["x"], "token_logprobs": [-0.1]}}'
    chunk = chunk_of(f'{{"choices": [{{{said}}}], "usage": {{"completion_tokens": 1}}}}'.encode())
    with pytest.raises(BrokenStreamError) as broken:
        reader_of(logprobs=logprobs).read(chunk)
    assert broken.value.fault is Fault.TOKENS_NOT_READ


@pytest.mark.parametrize("told", ["-1", "99999999999999999999", "x", ""])
def test_what_is_no_id_of_a_likely_token_fails_the_stream(told: str) -> None:
    top = f'"top_logprobs": [{{"token_id:{told}": -0.1}}]'
    said = f'"token_ids": [5], "logprobs": {{"tokens": ["x"], "token_logprobs": [-0.1], {top}}}'
    chunk = chunk_of(f'{{"choices": [{{{said}}}], "usage": {{"completion_tokens": 1}}}}'.encode())
    with pytest.raises(BrokenStreamError) as broken:
        reader_of(logprobs=1).read(chunk)
    assert broken.value.fault is Fault.TOKENS_NOT_READ


@pytest.mark.parametrize(
    ("text", "stop", "finish"),
    [
        ('{"a": 1}', (), EngineFinish.STOP),
        ('{"a": "b', (), EngineFinish.LENGTH),
        ("", (), EngineFinish.LENGTH),
        # A text of the caller's ends it wherever it stands.
        ('{"a": "b', ("c",), EngineFinish.STOP),
    ],
)
def test_an_answer_whose_grammar_gave_up_was_cut_whatever_the_server_says(
    text: str, stop: tuple[str, ...], finish: EngineFinish
) -> None:
    request = EngineRequest("one", PROMPT, Sampling(stop=stop), 8, structure=Structure('{"type": "object"}'))
    reader = ChoiceReader(request, 0, input_tokens=3)
    for piece in (text[:5], text[5:]):
        reader.read(Chunk(choices=[Choice(text=piece)], usage=Usage(completion_tokens=1)))
    reader.read(Chunk(choices=[Choice(finish_reason="stop")]))
    assert reader.end().finish is finish
