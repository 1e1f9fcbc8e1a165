"""Trains the byte-level BPE tokenizer and writes its files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from deploy.models.tiny_eu_training.corpus import Conversation

BOS, END, PAD = "<|bos|>", "<|end|>", "<|pad|>"
ROLES = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>"}
SPECIAL_TOKENS = (PAD, BOS, END, *ROLES.values())
IGNORED = -100

CHAT_TEMPLATE = """\
{{- bos_token -}}
{%- if tools -%}
{{- '<|system|>Tools:' -}}
{%- for tool in tools -%}{{- '\\n' ~ (tool | tojson) -}}{%- endfor -%}
{{- '<|end|>' -}}
{%- endif -%}
{%- for message in messages -%}
{%- set role = 'system' if message['role'] == 'developer' else message['role'] -%}
{%- if role not in ['system', 'user', 'assistant', 'tool'] -%}
{{- raise_exception('tiny-eu knows no role ' ~ role) -}}
{%- endif -%}
{{- '<|user|><tool_response>\\n' if role == 'tool' else '<|' ~ role ~ '|>' -}}
{%- if message['content'] is string -%}
{{- message['content'].split('</think>')[-1].lstrip('\\n') if role == 'assistant' else message['content'] -}}
{%- elif message['content'] -%}
{%- for part in message['content'] -%}
{%- if part['type'] != 'text' -%}
{{- raise_exception('tiny-eu reads text only') -}}
{%- endif -%}
{{- '\\n' if not loop.first else '' -}}{{- part['text'] -}}
{%- endfor -%}
{%- endif -%}
{%- for call in message['tool_calls'] or [] -%}
{{- '\\n' if message['content'] or not loop.first else '' -}}
{{- '<tool_call>\\n{"name": "' ~ call['function']['name'] ~ '", "arguments": ' -}}
{{- (call['function']['arguments'] | tojson) ~ '}\\n</tool_call>' -}}
{%- endfor -%}
{{- '\\n</tool_response><|end|>' if role == 'tool' else '<|end|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|assistant|>' ~ ('<think>\\n' if enable_thinking else '') -}}
{%- endif -%}
"""


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Return a lossless byte-level BPE tokenizer trained on the texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, token_id(tokenizer, BOS))]
    )
    return tokenizer


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """Return the id of a token that the tokenizer must know."""
    number = tokenizer.token_to_id(token)
    if number is None:
        raise KeyError(token)
    return int(number)


def encode(tokenizer: Tokenizer, conversation: Conversation) -> tuple[list[int], list[int]]:
    """Return the ids of a conversation, and the labels: only answers count."""
    ids = [token_id(tokenizer, BOS)]
    labels = [IGNORED]
    for turn in conversation.turns:
        head = [token_id(tokenizer, ROLES[turn.role])] if turn.role in ROLES else []
        body = [*tokenizer.encode(turn.text, add_special_tokens=False).ids, token_id(tokenizer, END)]
        learned = turn.role in ("assistant", "prose")
        ids += head + body
        labels += [IGNORED] * len(head) + (body if learned else [IGNORED] * len(body))
    return ids, labels


def write_tokenizer(tokenizer: Tokenizer, folder: Path, context: int) -> None:
    """Write the tokenizer, its settings and the chat template into a folder."""
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {"bos_token": BOS, "eos_token": END, "pad_token": PAD}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **named,
        "extra_special_tokens": list(ROLES.values()),
        "model_max_length": context,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    specials = {**named, "additional_special_tokens": list(ROLES.values())}
    _write_json(folder / "tokenizer_config.json", settings)
    _write_json(folder / "special_tokens_map.json", specials)


def _write_json(path: Path, value: object) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
