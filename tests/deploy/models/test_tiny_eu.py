"""The test model in the repository: small, of a known shape, and made from its own corpus."""

import json
import random
from pathlib import Path
from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from deploy.models.tiny_eu_training.corpus import TEXTS, Conversation, conversations
from deploy.models.tiny_eu_training.grammar import Expansion, load_grammars, parse_grammar
from deploy.models.tiny_eu_training.vocabulary import (
    BOS,
    CHAT_TEMPLATE,
    END,
    IGNORED,
    PAD,
    ROLES,
    SPECIAL_TOKENS,
    encode,
)

MODEL = Path(__file__).parents[3] / "deploy" / "models" / "tiny-eu"
LANGUAGES = {"de", "en", "es", "fr", "it", "nl"}
TOKENIZER = Tokenizer.from_file(str(MODEL / "tokenizer.json"))


def read(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((MODEL / name).read_text(encoding="utf-8"))
    return value


def raise_exception(message: str) -> None:
    raise ValueError(message)


def render(messages: list[dict[str, Any]], *, answer: bool = True) -> str:
    environment = jinja2.Environment(autoescape=False)  # noqa: S701 - plain text, not HTML
    environment.globals["raise_exception"] = raise_exception
    template = environment.from_string(read("tokenizer_config.json")["chat_template"])
    return template.render(messages=messages, bos_token=BOS, add_generation_prompt=answer)


def test_weights_are_at_most_six_megabytes() -> None:
    assert (MODEL / "model.safetensors").stat().st_size <= 6_000_000


def test_config_is_a_small_llama() -> None:
    config = read("config.json")
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["model_type"] == "llama"
    assert config["vocab_size"] == TOKENIZER.get_vocab_size()
    assert config["max_position_embeddings"] == 2048
    assert config["head_dim"] in {32, 64}


def test_special_tokens_have_the_configured_ids() -> None:
    config, generation, settings = map(
        read, ("config.json", "generation_config.json", "tokenizer_config.json")
    )
    for name, token in (("bos", BOS), ("eos", END), ("pad", PAD)):
        assert settings[f"{name}_token"] == token
        assert config[f"{name}_token_id"] == TOKENIZER.token_to_id(token)
        assert generation[f"{name}_token_id"] == TOKENIZER.token_to_id(token)


def test_special_tokens_are_marked_special() -> None:
    added = {token["content"]: token["special"] for token in read("tokenizer.json")["added_tokens"]}
    assert added == dict.fromkeys(SPECIAL_TOKENS, True)


@given(st.text())
def test_any_text_survives_the_tokenizer(text: str) -> None:
    ids = TOKENIZER.encode(text, add_special_tokens=False).ids
    assert TOKENIZER.decode(ids, skip_special_tokens=False) == text


def test_a_prompt_begins_with_bos() -> None:
    assert TOKENIZER.encode("Bonjour").ids[0] == TOKENIZER.token_to_id(BOS)


def test_template_in_the_model_is_the_template_in_the_code() -> None:
    assert read("tokenizer_config.json")["chat_template"] == CHAT_TEMPLATE


def test_template_renders_every_role() -> None:
    roles = ("system", "developer", "user", "assistant")
    text = render([{"role": role, "content": f" {role}\n"} for role in roles])
    assert text == (
        "<|bos|><|system|> system\n<|end|><|system|> developer\n<|end|>"
        "<|user|> user\n<|end|><|assistant|> assistant\n<|end|><|assistant|>"
    )


def test_template_reads_text_parts_and_missing_content() -> None:
    parts = [{"type": "text", "text": "un"}, {"type": "text", "text": "deux"}]
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None},
    ]
    assert render(messages, answer=False) == "<|bos|><|user|>un\ndeux<|end|><|assistant|><|end|>"


@pytest.mark.parametrize(
    "message",
    [{"role": "function", "content": ""}, {"role": "user", "content": [{"type": "image_url"}]}],
)
def test_template_refuses_what_the_model_cannot_read(message: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="tiny-eu"):
        render([message])


def test_template_tells_of_tools_and_of_what_was_called() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": {"city": "Lyon"}}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "Bonjour"},
        {"role": "assistant", "content": "Je regarde.", "tool_calls": [call, call]},
        {"role": "tool", "content": "20 °C", "tool_call_id": "c"},
    ]
    written = '<tool_call>\n{"name": "weather", "arguments": {"city": "Lyon"}}\n</tool_call>'
    assert render(messages, answer=False) == (
        f"<|bos|><|user|>Bonjour<|end|><|assistant|>Je regarde.\n{written}\n{written}<|end|>"
        "<|user|><tool_response>\n20 °C\n</tool_response><|end|>"
    )


def test_template_and_training_format_agree() -> None:
    sample = next(s for s in conversations(3, 50) if s.turns[0].role in ROLES)
    messages = [{"role": turn.role, "content": turn.text} for turn in sample.turns]
    ids = TOKENIZER.encode(render(messages, answer=False), add_special_tokens=False).ids
    assert ids == encode(TOKENIZER, sample)[0]


def test_only_answers_are_learned() -> None:
    sample = next(s for s in conversations(3, 50) if len(s.turns) == 2)
    labels = [label for label in encode(TOKENIZER, sample)[1] if label != IGNORED]
    assert TOKENIZER.decode(labels, skip_special_tokens=False) == sample.turns[1].text + END


def test_corpus_is_the_same_for_the_same_seed() -> None:
    assert list(conversations(7, 100)) == list(conversations(7, 100))
    assert list(conversations(7, 100)) != list(conversations(8, 100))


def test_corpus_holds_all_six_languages_with_the_same_topics() -> None:
    grammars = load_grammars(TEXTS)
    assert set(grammars) == LANGUAGES
    topics = {language: [topic.name for topic in g.topics] for language, g in grammars.items()}
    assert all(names == topics["fr"] for names in topics.values())
    assert {sample.language for sample in conversations(1, 200)} == LANGUAGES


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_template_can_be_filled(language: str) -> None:
    grammar = load_grammars(TEXTS)[language]
    rng = random.Random(1)
    lines = [line for topic in grammar.topics for line in topic.questions + topic.answers]
    lines += [line for slot in grammar.slots.values() for line in slot]
    for line in lines:
        text = Expansion(grammar, rng).text(line)
        assert text
        assert "{" not in text
        assert "}" not in text


def test_one_exchange_keeps_to_its_values() -> None:
    grammar = parse_grammar("xx", "@slot word\nun\ndeux\n@slot pair\na :: b")
    expansion = Expansion(grammar, random.Random(1))
    first, again, other = expansion.text("{word}|{word}|{word#2}").split("|")
    assert first == again != other
    assert expansion.text("{pair.1}-{pair.2} {^word}") == f"a-b {first.capitalize()}"


def test_a_missing_slot_is_an_error() -> None:
    with pytest.raises(ValueError, match="no slot 'word'"):
        Expansion(parse_grammar("xx", ""), random.Random(1)).text("{word}")


def answer_of(sample: Conversation) -> str:
    return sample.turns[-1].text


def test_most_answers_are_short_and_some_are_long() -> None:
    sizes = sorted(len(TOKENIZER.encode(answer_of(sample)).ids) for sample in conversations(5, 500))
    assert sizes[len(sizes) // 2] <= 80
    assert sizes[-1] >= 120
