"""Europe's languages, mixed and decomposed, come out of vLLM's stream as they were, by any tokenizer.

Three are public ones that a package ships: SentencePiece with and without room for commands, and Tekken.
"""

import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.cli.languages.corpus import LANGUAGES
from services.generator.adapters.vllm.environment import quiet_import, set_environment
from services.generator.domain.delta import Delta, EngineFinish
from services.generator.domain.graphemes import Graphemes

pytestmark = pytest.mark.vllm

TINY: Final = Path(__file__).parents[5] / "deploy" / "models" / "tiny-eu"
PUBLIC: Final = (
    "tokenizer.model.v1",
    "mistral_instruct_tokenizer_240323.model.v3",
    "tekken_240911.json",
)
PARAGRAPHS: Final = [paragraph for language in LANGUAGES.values() for paragraph in language.paragraphs]
WORDS: Final = sorted({word for paragraph in PARAGRAPHS for word in paragraph.split()})
ODDITIES: Final = (
    "Donaudampfschifffahrtsgesellschaftskapitän",
    "megszentségteleníthetetlenségeskedéseitekért",
    "kindercarnavalsoptochtvoorbereidingen",
    "Straße",
    "STRASSE",
    "œuvre",
    "Ĳsselmeer",
    "naïveté",
    "l'hôtel",
    "3\u00a0€",
    "„so“",
    "«\u202fici\u202f»",
    "e\u0301te\u0301",
    "z\u030c\u0327",
    "ΐ",
    "Й",
    "👩‍🚒",
    "🇪🇺",
    "1️⃣",
)


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    set_environment(is_download_allowed=False, cpu_threads=1)
    with quiet_import():
        import vllm.v1.engine.detokenizer  # noqa: F401, PLC0415 - slow, and quiet only here


@cache
def tokenizer_of(name: str) -> Any:
    if name == "tiny-eu":
        from transformers import AutoTokenizer  # noqa: PLC0415 - after its environment

        return AutoTokenizer.from_pretrained(TINY)
    import mistral_common  # noqa: PLC0415
    from mistral_common.protocol.instruct.validator import ValidationMode  # noqa: PLC0415
    from transformers.tokenization_mistral_common import MistralCommonBackend  # noqa: PLC0415
    from vllm.tokenizers.mistral import MistralTokenizer  # noqa: PLC0415

    path = Path(mistral_common.__file__).parent / "data" / name
    return MistralTokenizer(MistralCommonBackend(tokenizer_path=str(path), mode=ValidationMode.test))


def streamed(name: str, text: str) -> Sequence[str]:
    """Returns the pieces in which a caller gets a text, one token a step."""
    from vllm.sampling_params import RequestOutputKind, SamplingParams  # noqa: PLC0415
    from vllm.v1.engine import EngineCoreRequest  # noqa: PLC0415
    from vllm.v1.engine.detokenizer import IncrementalDetokenizer  # noqa: PLC0415

    tokenizer = tokenizer_of(name)
    ids = list(tokenizer.encode(text, add_special_tokens=False))
    request = EngineCoreRequest(
        request_id="1",
        external_req_id="1",
        prompt_token_ids=list(tokenizer.encode("x", add_special_tokens=False)),
        mm_features=None,
        sampling_params=SamplingParams(max_tokens=len(ids), output_kind=RequestOutputKind.DELTA),
        pooling_params=None,
        arrival_time=0.0,
        lora_request=None,
        cache_salt=None,
        data_parallel_rank=None,
    )
    detokenizer, graphemes = IncrementalDetokenizer.from_new_request(tokenizer, request), Graphemes()
    # As of a prompt that is written so.
    graphemes.expect([text])
    pieces = []
    for number, token_id in enumerate(ids, 1):
        is_last = number == len(ids)
        detokenizer.update([token_id], False)
        delta = Delta(detokenizer.get_next_output_text(is_last, True), 1)
        delta.finish = EngineFinish.LENGTH if is_last else None
        graphemes.hold(delta)
        pieces.append(delta.text)
    return pieces


TEXTS: Final = st.lists(st.sampled_from([*WORDS, *ODDITIES]), min_size=1, max_size=30).map(" ".join)
FORMS: Final[Sequence[Callable[[str], str]]] = (
    str,
    lambda text: unicodedata.normalize("NFD", text),
    str.upper,
)


@pytest.mark.parametrize("name", ["tiny-eu", *PUBLIC])
class TestStreams:
    @pytest.mark.parametrize("language", LANGUAGES.values(), ids=list(LANGUAGES))
    def test_each_language_comes_out_as_it_was(self, name: str, language: Any) -> None:
        for paragraph in language.paragraphs:
            assert "".join(streamed(name, paragraph)).removeprefix(" ") == paragraph

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(text=TEXTS, form=st.sampled_from(FORMS))
    def test_languages_within_a_sentence_compounds_and_marks_come_out_as_they_were(
        self, name: str, text: str, form: Callable[[str], str]
    ) -> None:
        pieces = streamed(name, form(text))
        # SentencePiece begins each text with a space.
        assert "".join(pieces).removeprefix(" ") == form(text)
        for piece in pieces:
            assert "\N{REPLACEMENT CHARACTER}" not in piece
            assert not unicodedata.combining(piece[:1] or " "), "a mark without its letter"
