"""The catalog: the names that events replace by numbers, and each model's limits."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.kernel.chat_templates import TOLD_ANYWAY, ArgumentName, ArgumentValue, Effort, EffortMeaning
from services.kernel.regions import FRANCE
from services.kernel.regions import Region as Region  # noqa: PLC0414 - a part of the catalog

# Asks for the default model of a region, as no name does.
DEFAULT_MODEL_NAME: Final = "default"
MAX_ALIASES: Final = 64
# Texts of one request for vectors: OpenAI's bound.
MAX_INPUTS: Final = 2048
# Answers of one request for answers: as many as the schema of an admission lets one ask for.
MAX_CHOICES_PER_PROMPT: Final = 16
# Tokens of one request: more than this no event counts.
MAX_COUNTED_TOKENS: Final = 2**24
_Name = Annotated[str, Field(min_length=1, max_length=256)]


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


@dataclass(frozen=True, slots=True)
class ModelName:
    """A name that callers may ask for, and the model that answers.

    `numbers` are the models that a key may be for: a key of a model that was replaced may use its successor
    under the old name.
    """

    name: str
    model: Model
    numbers: frozenset[int]
    retired: RetiredName | None = None


class Catalog(BaseModel):
    """Regions and models by number and by name; both are unique, and so is every other name of a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    regions: tuple[Region, ...] = Field(
        default=(FRANCE,), min_length=1, description="every region that a row can name; `eu-fr` unless given"
    )
    models: tuple[Model, ...] = Field(min_length=1, description="every model that a tenant can ask for")

    @model_validator(mode="after")
    def _numbers_and_names_are_unique(self) -> "Catalog":
        for entries in (self.regions, self.models):
            if len({entry.number for entry in entries}) < len(entries):
                raise ValueError("a number stands twice")
            if len({entry.name for entry in entries}) < len(entries):
                raise ValueError("a name stands twice")
        return self

    @model_validator(mode="after")
    def _who_answers_for_another_answers_itself(self) -> "Catalog":
        moved = {region.name: region.answered_by for region in self.regions if region.answered_by}
        answering = {region.name for region in self.regions} - moved.keys()
        if not answering.issuperset(moved.values()):
            raise ValueError("answered_by must name another region, which answers its own keys")
        return self

    @model_validator(mode="after")
    def _each_name_is_of_one_model(self) -> "Catalog":
        own = {model.name for model in self.models}
        aliases = [alias for model in self.models for alias in model.aliases]
        retired = [old.name for model in self.models for old in model.replaces]
        others = {*aliases, *retired}
        if len(others) < len(aliases) + len(retired) or own & set(aliases):
            raise ValueError("a name of models stands twice")
        if DEFAULT_MODEL_NAME in own | others:
            raise ValueError(f"no model may have the name {DEFAULT_MODEL_NAME}, which regions give away")
        for model in self.models:
            if model.name in retired and (model.aliases or model.replaces):
                raise ValueError("a model that was replaced may have no other names")
        serving = {model.name: model.task for model in self.models if model.name not in retired}
        defaults = {(region.default_model, Task.GENERATE) for region in self.regions}
        defaults |= {(region.default_embedding_model, Task.EMBED) for region in self.regions}
        if any(name and serving.get(name) is not task for name, task in defaults):
            raise ValueError(
                "a default_model or default_embedding_model is not the name of a model of that task, or of "
                "one that was replaced"
            )
        return self

    def model_name(
        self, name: str, region: Region | None = None, task: Task = Task.GENERATE
    ) -> ModelName | None:
        """Returns what a name that a caller asks for stands for, or None.

        With a region, no name and `default` ask for its default model of the task.
        """
        if region is not None and name in {"", DEFAULT_MODEL_NAME}:
            name = region.default_model if task is Task.GENERATE else region.default_embedding_model
        return self._names.get(name)

    def names_in(self, region: Region) -> Iterator[ModelName]:
        """Yields all names that callers in a region may ask for: those of models first, retired ones last.

        Programs chat with the first, so that is the region's default model, or another one that answers.
        """
        names = list(self._names.values())
        default = self.model_name(region.default_model)
        if default is not None:
            names.append(ModelName(DEFAULT_MODEL_NAME, default.model, default.numbers))
        names.sort(
            key=lambda one: (one.model.task is not Task.GENERATE, one.name != region.default_model, one.name)
        )
        yield from (one for one in names if one.name == one.model.name)
        yield from (one for one in names if one.name != one.model.name and one.retired is None)
        yield from (one for one in names if one.retired is not None)

    @cached_property
    def _names(self) -> dict[str, ModelName]:
        numbers = {model.name: model.number for model in self.models}
        names = {}
        for model in self.models:
            for name in (model.name, *model.aliases):
                names[name] = ModelName(name, model, frozenset({model.number}))
        for model in self.models:
            for old in model.replaces:
                either = frozenset({model.number, numbers.get(old.name, model.number)})
                names[old.name] = ModelName(old.name, model, either, old)
        return names

    def region_by_name(self, name: str) -> Region | None:
        """Returns the region, or None."""
        return next((region for region in self.regions if region.name == name), None)

    def answering(self, name: str) -> Region | None:
        """Returns the region that answers the keys of the one with that name now; None without such a one."""
        home = self._regions.get(name)
        return home if home is None or not home.answered_by else self._regions[home.answered_by]

    @cached_property
    def _regions(self) -> dict[str, Region]:
        return {region.name: region for region in self.regions}

    def region_by_number(self, number: int) -> Region | None:
        """Returns the region, or None."""
        return next((region for region in self.regions if region.number == number), None)

    def model_by_name(self, name: str) -> Model | None:
        """Returns the model that has the name for its own, or None."""
        return next((model for model in self.models if model.name == name), None)

    def model_by_number(self, number: int) -> Model | None:
        """Returns the model, or None."""
        return next((model for model in self.models if model.number == number), None)
