"""The catalog: the names that events replace by numbers, and each model's limits."""

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Region(BaseModel):
    """A place where data may be processed and stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1, le=65535, description="what events say instead of the name")
    name: str = Field(
        pattern=r"^[a-z]{2}-[a-z0-9]{1,12}$", description="country and place, the second part of every key"
    )
    is_eu: bool = Field(default=True, description="whether it is in the European Union")


class Model(BaseModel):
    """A model that tenants can ask for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1, description="what events say instead of the name")
    name: str = Field(min_length=1, max_length=256, description="what callers ask for")
    created_at_seconds: int = Field(
        default=1_790_000_000, description="Unix time that `GET /v1/models` says the model is from"
    )
    context_tokens: int = Field(
        ge=1, description="most input and output tokens of a request; larger requests are refused"
    )
    max_output_tokens: int = Field(
        ge=1, description="most output tokens of an answer; a larger `max_tokens` is cut to it"
    )
    max_bytes_per_token: int = Field(
        default=64,
        ge=1,
        description="bytes of the longest token: a prompt of n bytes has at least n / this many tokens, and "
        "one that cannot fit is refused unread",
    )


class Catalog(BaseModel):
    """Regions and models by number and by name; both are unique."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    regions: tuple[Region, ...] = Field(min_length=1, description="every region that a row can name")
    models: tuple[Model, ...] = Field(min_length=1, description="every model that a tenant can ask for")

    @model_validator(mode="after")
    def _numbers_and_names_are_unique(self) -> "Catalog":
        for entries in (self.regions, self.models):
            if len({entry.number for entry in entries}) < len(entries):
                raise ValueError("a number stands twice")
            if len({entry.name for entry in entries}) < len(entries):
                raise ValueError("a name stands twice")
        return self

    def region_by_name(self, name: str) -> Region | None:
        """Returns the region, or None."""
        return next((region for region in self.regions if region.name == name), None)

    def region_by_number(self, number: int) -> Region | None:
        """Returns the region, or None."""
        return next((region for region in self.regions if region.number == number), None)

    def model_by_name(self, name: str) -> Model | None:
        """Returns the model, or None."""
        return next((model for model in self.models if model.name == name), None)

    def model_by_number(self, number: int) -> Model | None:
        """Returns the model, or None."""
        return next((model for model in self.models if model.number == number), None)
