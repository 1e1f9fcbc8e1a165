"""Models: what each does and may be told, its bounds, and what its tokens count and cost."""

from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.kernel.chat_templates import TOLD_ANYWAY, ArgumentName, ArgumentValue, Effort, EffortMeaning

MAX_ALIASES: Final = 64
# Texts of one request for vectors: OpenAI's bound.
MAX_INPUTS: Final = 2048
# Answers of one request for answers: as many as the schema of an admission lets one ask for.
MAX_CHOICES_PER_PROMPT: Final = 16
# Tokens of one request: more than this no event counts.
MAX_COUNTED_TOKENS: Final = 2**24
_Name = Annotated[str, Field(min_length=1, max_length=256)]
# With these bounds the price of the largest request that is counted is exact in a double.
_MAX_PER_MILLION: Final = 100_000
_PerMillion = Annotated[Decimal, Field(ge=0, le=_MAX_PER_MILLION, decimal_places=3)]


class Task(StrEnum):
    """What a model does: it answers and continues, or it makes vectors of texts."""

    GENERATE = "generate"
    EMBED = "embed"


class RetiredName(BaseModel):
    """A name that should not be used any more, and that its successor answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Name = Field(
        description="a name that no model has any more, or that of a model which stays in the catalog for "
        "the rows of its number"
    )
    deprecated_at_seconds: int = Field(
        ge=1, lt=2**33, description="Unix time since when it should not be used; for the header `deprecation`"
    )
    sunset_at_seconds: int = Field(
        default=0,
        ge=0,
        lt=2**33,
        description="Unix time when it goes away, for the header `sunset`; announced, not enforced: it is "
        "answered until it stands here no longer; 0 says nothing",
    )

    @model_validator(mode="after")
    def _ends_after_its_deprecation(self) -> "RetiredName":
        if 0 < self.sunset_at_seconds < self.deprecated_at_seconds:
            raise ValueError("sunset_at_seconds must not be before deprecated_at_seconds")
        return self


class Price(BaseModel):
    """What a million tokens cost, in the catalog's currency; reckoned in whole billionths per token."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_per_million_tokens: _PerMillion = Field(description="of a prompt")
    cached_input_per_million_tokens: Decimal | None = Field(
        default=None,
        ge=0,
        le=_MAX_PER_MILLION,
        decimal_places=3,
        description="of what the engine had of a prompt from before; the input's unless given",
    )
    output_per_million_tokens: _PerMillion = Field(
        default=Decimal(0), description="of an answer, what the model thinks before it included"
    )

    @property
    def input_nanos(self) -> int:
        """Billionths of the currency's unit per token of a prompt."""
        return _thousandths(self.input_per_million_tokens)

    @property
    def cached_input_nanos(self) -> int:
        """Billionths of the currency's unit per token of a prompt that the engine had."""
        cached = self.cached_input_per_million_tokens
        return self.input_nanos if cached is None else _thousandths(cached)

    @property
    def output_nanos(self) -> int:
        """Billionths of the currency's unit per token of an answer."""
        return _thousandths(self.output_per_million_tokens)


@lru_cache(maxsize=1024)
def _thousandths(number: Decimal) -> int:
    """Returns a number of the catalog in thousandths, which is asked for several times for each request."""
    return int(number * 1000)


class Model(BaseModel):
    """A model that tenants can ask for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1, description="what events say instead of the name")
    name: _Name = Field(description="what callers ask for, and what answers say")
    aliases: tuple[_Name, ...] = Field(
        default=(), max_length=MAX_ALIASES, description="other names that callers may ask for"
    )
    replaces: tuple[RetiredName, ...] = Field(
        default=(),
        max_length=MAX_ALIASES,
        description="retired names whose requests this model answers, with a header that says so",
    )
    created_at_seconds: int = Field(
        default=1_790_000_000, description="Unix time that `GET /v1/models` says the model is from"
    )
    context_tokens: int = Field(
        ge=1, description="most input and output tokens of a request; larger requests are refused"
    )
    task: Task = Field(
        default=Task.GENERATE,
        description="what the model does: `generate` answers, `embed` makes vectors; requests for the other "
        "are refused",
    )
    max_output_tokens: int = Field(
        default=0,
        ge=0,
        description="most output tokens of an answer, 1 at least; a larger `max_tokens` is cut to it; 0 for "
        "a model that makes vectors",
    )
    tool_format: Literal["", "hermes"] = Field(
        default="",
        description="how the model writes a call of a tool: `hermes` as Hermes and Qwen do; empty for one "
        "that calls none, whose requests with tools are refused",
    )
    reasoning_format: Literal["", "deepseek_r1", "deepseek_v3", "qwen3"] = Field(
        default="",
        description="how the model writes what it thinks before it answers, by vLLM's names: `qwen3` between "
        "`<think>` and `</think>`, if it thinks; `deepseek_r1` as well, also where it leaves `<think>` out; "
        "`deepseek_v3` as well, but only where its chat template has written `<think>`; "
        "empty for one that does not, whose requests with an effort of reasoning are refused",
    )
    reasoning_efforts: dict[Effort, EffortMeaning] = Field(
        default_factory=dict,
        description="what each value of `reasoning_effort` means for the model; others are refused",
    )
    template_arguments: dict[ArgumentName, tuple[ArgumentValue, ...]] = Field(
        default_factory=dict,
        max_length=32,
        description="what callers may tell the model's chat template (`chat_template_kwargs`): names, each "
        "with the values that it may have; others are refused",
    )
    max_bytes_per_token: int = Field(
        default=64,
        ge=1,
        description="bytes of the longest token: a prompt of n bytes has at least n / this many tokens, and "
        "one that cannot fit is refused unread",
    )
    token_weight: Decimal = Field(
        default=Decimal(1),
        gt=0,
        le=1000,
        decimal_places=3,
        description="as how many tokens one of the model counts against the tokens per minute, day and month "
        "of keys and tenants",
    )
    price: Price | None = Field(
        default=None,
        description="what its tokens cost, for the budgets of keys and tenants; none, and it costs nothing",
    )

    @model_validator(mode="after")
    def _only_who_generates_has_output(self) -> "Model":
        if (self.task is Task.GENERATE) != (self.max_output_tokens > 0):
            raise ValueError("max_output_tokens must be 1 at least, and 0 where task is embed")
        return self

    @model_validator(mode="after")
    def _can_be_counted(self) -> "Model":
        further_tokens = (MAX_CHOICES_PER_PROMPT - 1) * self.max_output_tokens
        if self.context_tokens + further_tokens > MAX_COUNTED_TOKENS:
            raise ValueError(
                f"context_tokens and {MAX_CHOICES_PER_PROMPT - 1} times max_output_tokens must be at most "
                f"{MAX_COUNTED_TOKENS}, the most tokens of one request that are counted"
            )
        return self

    @property
    def weight_permille(self) -> int:
        """As how many thousandths of a token one of the model counts."""
        return _thousandths(self.token_weight)

    @property
    def max_input_tokens(self) -> int:
        """Most input tokens of one request: each of several texts for vectors may fill the context."""
        return self.context_tokens * (MAX_INPUTS if self.task is Task.EMBED else 1)

    @property
    def max_counted_output_tokens(self) -> int:
        """Most output tokens that are counted of one request: each of its choices may be the longest."""
        return self.max_output_tokens * MAX_CHOICES_PER_PROMPT

    @model_validator(mode="after")
    def _arguments_are_the_template_s_own(self) -> "Model":
        told = {*self.template_arguments}.union(
            *(meaning.template_arguments for meaning in self.reasoning_efforts.values())
        )
        if told & TOLD_ANYWAY:
            raise ValueError("template_arguments may not name what every chat template is told")
        if self.reasoning_efforts and not self.reasoning_format:
            raise ValueError("reasoning_efforts need a reasoning_format")
        return self
