"""The catalog: the names that events replace by numbers, and each model's limits."""

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Region(BaseModel):
    """A place where data may be processed and stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1, le=65535)
    name: str = Field(pattern=r"^[a-z]{2}-[a-z0-9]{1,12}$")
    is_eu: bool = True


class Model(BaseModel):
    """A model that tenants can ask for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1)
    name: str = Field(min_length=1, max_length=256)
    created_at_seconds: int = 1_790_000_000
    context_tokens: int = Field(ge=1)
    max_output_tokens: int = Field(ge=1)
    # Bytes of the longest token: a prompt of n bytes has at least n / this many tokens.
    max_bytes_per_token: int = Field(default=64, ge=1)


class Catalog(BaseModel):
    """Regions and models by number and by name; both are unique."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    regions: tuple[Region, ...] = Field(min_length=1)
    models: tuple[Model, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _numbers_and_names_are_unique(self) -> "Catalog":
        for entries in (self.regions, self.models):
            if len({entry.number for entry in entries}) < len(entries):
                raise ValueError("a number stands twice")
            if len({entry.name for entry in entries}) < len(entries):
                raise ValueError("a name stands twice")
        return self

    def region_by_name(self, name: str) -> Region | None:
        """The region, or None."""
        return next((region for region in self.regions if region.name == name), None)

    def region_by_number(self, number: int) -> Region | None:
        """The region, or None."""
        return next((region for region in self.regions if region.number == number), None)

    def model_by_name(self, name: str) -> Model | None:
        """The model, or None."""
        return next((model for model in self.models if model.name == name), None)

    def model_by_number(self, number: int) -> Model | None:
        """The model, or None."""
        return next((model for model in self.models if model.number == number), None)
