"""Regions: where each is, whose law holds there, and where its edges answer."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

# The member states of the European Union, by ISO 3166.
EU_COUNTRIES: Final = frozenset(
    {"AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"}
    | {"IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"}
)


class Region(BaseModel):
    """A place where data may be processed and stored."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1, le=65535, description="what events say instead of the name")
    name: str = Field(
        pattern=r"^[a-z]{2}(-[a-z0-9]{1,12})?$",
        description="where it is, the second part of every key: `eu-fr`, `ae`, `us-east`",
    )
    country: str = Field(
        default="",
        pattern=r"^([A-Z]{2})?$",
        description="ISO 3166's two letters of the country that its machines are in; empty only where the "
        "name says that by `eu-` and the country in small letters",
    )
    jurisdiction: str = Field(
        default="",
        max_length=64,
        description="whose law its operator answers to, for people: `European Union`, `United Arab Emirates`",
    )
    is_eu: bool = Field(
        default=True,
        description="whether it is in the European Union; a region that is not serves nobody without a "
        "transfer record that is in force",
    )
    base_url: str = Field(
        default="",
        pattern=r"^(https?://[!-~]{1,200}/v1)?$",
        description="where its edges answer, up to `/v1`; whoever comes to another region with one of its "
        "keys is told it",
    )
    answered_by: str = Field(
        default="",
        max_length=15,
        description="the region that answers the keys of this one while it cannot; empty, it answers itself",
    )
    default_model: str = Field(
        default="",
        max_length=256,
        description="the model, by its name, that answers requests here which name none or `default`; "
        "empty, they are refused",
    )
    default_embedding_model: str = Field(
        default="",
        max_length=256,
        description="as `default_model`, for requests of vectors",
    )

    @model_validator(mode="after")
    def _is_where_it_says(self) -> "Region":
        """Holds that nothing abroad is called the European Union, by a mistake or a default."""
        prefix, _, place = self.name.partition("-")
        country = self.country or (place.upper() if prefix == "eu" else "")
        if self.is_eu != (country in EU_COUNTRIES):
            raise ValueError("is_eu must be true for a country of the European Union, and for no other")
        return self


# Where everything runs unless a deployment says otherwise.
FRANCE: Final = Region(number=1, name="eu-fr", country="FR", jurisdiction="European Union")
