"""Every parameter of a request that OpenAI, vLLM and servers like it know, and what becomes of each here.

Served: a field of `SamplingParameters`, which every endpoint that generates takes, or of the endpoint's own
body (`chat/body.py`). Ignored: it cannot change an answer. Neutral: it would change the answer and is not
served, so it is refused by name unless its value is one that changes nothing. A test holds them against the
field lists of OpenAI's SDK and of vLLM, so that none falls through silently.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from services.edge.domain.openai.refusals import JsonObject, unsupported
from services.kernel.catalog import MAX_CHOICES_PER_PROMPT

# What one answer may be made of, so that nobody's answer fills the edge: choices and, where logprobs are
# asked for, entries of each token.
MAX_CHOICES: Final = 64
MAX_LOGPROBS: Final = 128


def number(low: float, high: float) -> Meta:
    """Returns the range of a number."""
    return Meta(ge=low, le=high, description=f"a number from {low:g} to {high:g}")


def number_above(low: float, high: float) -> Meta:
    """Returns the range of a number without its lower end."""
    return Meta(gt=low, le=high, description=f"a number above {low:g}, up to {high:g}")


def whole_number(low: int, high: int) -> Meta:
    """Returns the range of a whole number; `100.0` is one too."""
    return Meta(ge=low, le=high, description=f"a whole number from {low} to {high}")


Flag: TypeAlias = Annotated[bool, Meta(description="true or false")]


class SamplingParameters(Struct, frozen=True):
    """How tokens are chosen; None leaves the choice to the engine.

    The names are those of `comptoir.generator.v1.Sampling`, and a test holds the ranges against the schema's.
    """

    temperature: Annotated[float, number(0, 2)] | None = None
    top_p: Annotated[float, number(0, 1)] | None = None
    presence_penalty: Annotated[float, number(-2, 2)] | None = None
    frequency_penalty: Annotated[float, number(-2, 2)] | None = None
    seed: Annotated[int, whole_number(-(2**63), 2**63 - 1)] | None = None
    stop: (
        Annotated[
            str | list[str],
            Meta(description="a string, or a list of up to 4 strings, each of up to 256 bytes"),
        ]
        | None
    ) = None
    min_p: Annotated[float, number(0, 1)] | None = None
    top_k: Annotated[int, whole_number(-1, 2**31 - 1)] | None = None
    repetition_penalty: Annotated[float, number_above(0, 2)] | None = None
    logit_bias: (
        Annotated[
            dict[Annotated[int, Meta(ge=0, lt=2**31)], Annotated[float, Meta(ge=-100, le=100)]],
            Meta(
                max_length=1024, description="an object of up to 1024 token ids with numbers from -100 to 100"
            ),
        ]
        | None
    ) = None
    min_tokens: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=2**20,
                description=f"a whole number from 0 to {2**20}, and not more than the answer can have",
            ),
        ]
        | None
    ) = None
    ignore_eos: (
        Annotated[
            bool, Meta(description="true or false, and not true beside a response_format or tools to call")
        ]
        | None
    ) = None
    n: Annotated[int, whole_number(1, MAX_CHOICES_PER_PROMPT)] | None = None
    thinking_token_budget: Annotated[int, whole_number(0, 2**20)] | None = None
    stop_token_ids: (
        Annotated[
            list[Annotated[int, Meta(ge=0, lt=2**31)]],
            Meta(max_length=64, description="a list of up to 64 token ids"),
        ]
        | None
    ) = None


# Without one the region's default model is asked for, if it has one.
ModelName: TypeAlias = Annotated[
    str, Meta(max_length=256, description="the name of a model, of 1 to 256 characters")
]
TokenId: TypeAlias = Annotated[int, Meta(ge=0, lt=2**31)]
ServiceTier: TypeAlias = Annotated[
    Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"],
    Meta(description="one of auto, default, flex, scale, priority, fast and ultrafast"),
]


@dataclass(frozen=True, slots=True)
class Neutral:
    """Values, beside null and absence, that change nothing; `words` is what they are to a person."""

    values: tuple[object, ...]
    words: str

    def has(self, value: object) -> bool:
        """Returns whether `value`, any JSON value, changes nothing. A boolean is no number here either."""
        return value is None or any(
            value == neutral and isinstance(value, bool) == isinstance(neutral, bool)
            for neutral in self.values
        )


_ABSENT: Final = Neutral((), "absent")
_EMPTY: Final = Neutral(([], {}, "", 0, False), "absent or empty")
_OFF: Final = Neutral((False,), "absent or false")
_ON: Final = Neutral((True,), "absent or true")
_ZERO: Final = Neutral((0,), "absent or 0")
_ONE: Final = Neutral((1,), "absent or 1")

# Who asks, how it is counted or cached, how a stream is cut: the answer is the same.
IGNORED: Final = frozenset(
    {
        "metadata",
        "user",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "prediction",
        "request_id",
        "session_id",
        "stream_interval",
        # How long an answer should be, which no model here was trained to be told.
        "verbosity",
        # Which side is cut, and nothing is; what is done with media, and none are taken.
        "truncation_side",
        "media_io_kwargs",
        "mm_processor_kwargs",
        # vLLM reads these for its other endpoints.
        "return_token_offsets",
        "routed_experts_prompt_start",
        # Of Responses: pictures, and tools that OpenAI runs; there are none.
        "access_programs",
        "image",
        "max_tool_calls",
        "mm_payload",
        "return_mm_kwargs",
    }
)

NEUTRAL: Final = MappingProxyType(
    {
        # OpenAI's own
        "audio": _EMPTY,
        "modalities": Neutral((["text"], []), 'absent or ["text"]'),
        "moderation": _ABSENT,
        "store": _OFF,
        "web_search_options": _EMPTY,
        # Sampling, as vLLM takes it
        "allowed_token_ids": _EMPTY,
        "bad_words": _EMPTY,
        "best_of": _ONE,
        "include_stop_str_in_output": _OFF,
        "length_penalty": _ONE,
        "logits_processors": _EMPTY,
        "logprob_token_ids": _EMPTY,
        "prompt_logprobs": _ABSENT,
        "repetition_detection": _EMPTY,
        "skip_special_tokens": _ON,
        "spaces_between_special_tokens": _ON,
        "truncate_prompt_tokens": _ABSENT,
        "use_beam_search": _OFF,
        "watermarking": _OFF,
        # The prompt and what comes back, as vLLM takes them
        "add_generation_prompt": _ON,
        "add_special_tokens": _OFF,
        "cache_salt": _EMPTY,
        "chat_template": _EMPTY,
        "continue_final_message": _OFF,
        "documents": _EMPTY,
        "ec_transfer_params": _EMPTY,
        "echo": _OFF,
        "guided_grammar": _EMPTY,
        "kv_transfer_params": _EMPTY,
        "priority": _ZERO,
        "prompt_embeds": _EMPTY,
        "return_prompt_text": _OFF,
        "return_token_ids": _OFF,
        "return_tokens_as_token_ids": _OFF,
        "vllm_xargs": _EMPTY,
        # Other servers that take OpenAI's requests, and names that people bring from their own APIs
        "dry_multiplier": _ZERO,
        "do_sample": _ABSENT,
        "dynatemp_range": _ZERO,
        "ebnf": _EMPTY,
        "extra_body": _EMPTY,
        "format": _EMPTY,
        "grammar": _EMPTY,
        "guidance_scale": _ONE,
        "input": _EMPTY,
        "json_schema": _EMPTY,
        "lora_path": _EMPTY,
        "max_new_tokens": _ABSENT,
        "max_output_tokens": _ABSENT,
        "min_new_tokens": _ZERO,
        "mirostat": _ZERO,
        "mirostat_mode": _ZERO,
        "n_predict": Neutral((-1,), "absent or -1"),
        "num_predict": Neutral((-1,), "absent or -1"),
        "options": _EMPTY,
        "penalty_alpha": _ZERO,
        "prompt": _EMPTY,
        "random_seed": _ABSENT,
        "reasoning": Neutral(_EMPTY.values, "absent or empty; its effort is reasoning_effort here"),
        "regex": _EMPTY,
        "repeat_penalty": _ONE,
        "safe_prompt": _OFF,
        "stop_regex": _EMPTY,
        "stop_sequences": _EMPTY,
        "system": _EMPTY,
        "tfs": _ONE,
        "tfs_z": _ONE,
        "thinking": Neutral((), "absent; it is reasoning_effort or chat_template_kwargs here"),
        "top_a": _ZERO,
        "typical": _ONE,
        "typical_p": _ONE,
        "xtc_probability": _ZERO,
    }
)

# In one message; its `name` and what a refusal or a train of thought said are ignored.
NEUTRAL_IN_MESSAGE: Final = MappingProxyType(
    {
        "audio": Neutral(([],), "absent"),
        # The start of the answer, as Mistral, DeepSeek and Moonshot take it.
        "prefix": _OFF,
        "partial": _OFF,
    }
)
NEUTRAL_IN_STREAM_OPTIONS: Final = MappingProxyType({"continuous_usage_stats": _OFF})


def refuse_unsupported(fields: JsonObject, neutral: MappingProxyType[str, Neutral], path: str = "") -> None:
    """Refuses the first field that is known, not served, and would change the answer."""
    for name in fields:
        rule = neutral.get(name)
        if rule is not None and not rule.has(fields[name]):
            unsupported(path + name)


def words_of(neutral: MappingProxyType[str, Neutral], path: str = "") -> dict[str, str]:
    """Returns what each refused field must be, by its public name."""
    return {path + name: rule.words for name, rule in neutral.items()}
