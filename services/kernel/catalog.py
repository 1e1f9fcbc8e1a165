"""The catalog: the names that events replace by numbers, and each model's limits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.kernel.models import MAX_CHOICES_PER_PROMPT as MAX_CHOICES_PER_PROMPT  # noqa: PLC0414
from services.kernel.models import MAX_COUNTED_TOKENS as MAX_COUNTED_TOKENS  # noqa: PLC0414
from services.kernel.models import MAX_INPUTS as MAX_INPUTS  # noqa: PLC0414
from services.kernel.models import Model as Model  # noqa: PLC0414 - a part of the catalog
from services.kernel.models import Price as Price  # noqa: PLC0414
from services.kernel.models import RetiredName as RetiredName  # noqa: PLC0414
from services.kernel.models import Task as Task  # noqa: PLC0414
from services.kernel.regions import FRANCE
from services.kernel.regions import Region as Region  # noqa: PLC0414 - a part of the catalog

# Asks for the default model of a region, as no name does.
DEFAULT_MODEL_NAME: Final = "default"


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


class FormerName(BaseModel):
    """A number that a name had which is gone: events and keys may say it still, so no other name gets it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1, description="the number, which no other name may have")
    name: str = Field(min_length=1, max_length=256, description="whose it was")


class Catalog(BaseModel):
    """Regions and models by number and by name; both are unique, and so is every other name of a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    regions: tuple[Region, ...] = Field(
        default=(FRANCE,), min_length=1, description="every region that a row can name; `eu-fr` unless given"
    )
    models: tuple[Model, ...] = Field(min_length=1, description="every model that a tenant can ask for")
    currency: str = Field(
        default="EUR",
        pattern=r"^[A-Z]{3}$",
        description="ISO 4217's three letters of the currency that prices and budgets are in",
    )

    @model_validator(mode="after")
    def _numbers_and_names_are_unique(self) -> "Catalog":
        for entries in (self.regions, self.models):
            if len({entry.number for entry in entries}) < len(entries):
                raise ValueError("a number stands twice")
            if len({entry.name for entry in entries}) < len(entries):
                raise ValueError("a name stands twice")
        return self

    former_regions: tuple[FormerName, ...] = Field(
        default=(), description="regions that are gone, whose numbers no other may have"
    )
    former_models: tuple[FormerName, ...] = Field(
        default=(), description="models that are gone, whose numbers no other may have"
    )

    @model_validator(mode="after")
    def _no_number_is_given_again(self) -> "Catalog":
        for entries, former in ((self.regions, self.former_regions), (self.models, self.former_models)):
            names = {gone.number: gone.name for gone in former}
            if len(names) < len(former):
                raise ValueError("a former number stands twice")
            if any(names.get(entry.number, entry.name) != entry.name for entry in entries):
                raise ValueError("a number that another name had may not be given again")
        return self

    @property
    def region_names(self) -> dict[int, str]:
        """The names of regions by number, of those that are gone too: rows say them until they expire."""
        return _names_by_number((*self.former_regions, *self.regions))

    @property
    def model_names(self) -> dict[int, str]:
        """The names of models by number, of those that are gone too."""
        return _names_by_number((*self.former_models, *self.models))

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


def _names_by_number(entries: Iterable[Region | Model | FormerName]) -> dict[int, str]:
    return {entry.number: entry.name for entry in entries}
