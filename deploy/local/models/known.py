"""The table of known small models: dated, with sources, checked before it is used."""

import datetime as dt
from pathlib import Path
from typing import Final, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

KNOWN_FILE: Final = Path(__file__).with_name("known.yaml")
_STRICT: Final = ConfigDict(frozen=True, extra="forbid")
_NAME: Final = r"^[a-z0-9][a-z0-9.-]*$"
_SHA256: Final = r"^[0-9a-f]{64}$"
_HUB: Final = r"^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$"


class Package(BaseModel):
    """A wheel of the package index that holds a model as a GGUF file, known by its sum."""

    model_config = _STRICT

    name: str = Field(pattern=_NAME, max_length=64)
    version: str = Field(pattern=r"^[0-9][0-9a-z.]*$", max_length=32)
    sha256: str = Field(pattern=_SHA256)
    download_bytes: int = Field(gt=0)
    gguf: str = Field(pattern=r"^[\w-]+/[\w.-]+\.gguf$", max_length=200)
    gguf_bytes: int = Field(gt=0)
    gguf_sha256: str = Field(pattern=_SHA256)
    folder_bytes: int = Field(gt=0, description="of the model's folder once it is converted")

    @property
    def needed_bytes(self) -> int:
        """Room that an installation takes: the wheel and what is in it, and the folder."""
        return self.download_bytes + self.gguf_bytes + self.folder_bytes


class Licence(BaseModel):
    """The terms under which a model may be used."""

    model_config = _STRICT

    name: str = Field(min_length=1, max_length=64)
    url: str = Field(pattern=r"^https://", max_length=200)


class Origin(BaseModel):
    """Where a model comes from: one of the three."""

    model_config = _STRICT

    ships: str = ""
    hub: str = Field(default="", pattern=rf"{_HUB}|^$")
    package: Package | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(map(bool, (self.ships, self.hub, self.package))) != 1:
            raise ValueError("has to be one of ships, hub and package")
        return self


class KnownModel(BaseModel):
    """One model, with where its facts were read."""

    model_config = _STRICT

    name: str = Field(pattern=_NAME, max_length=64)
    title: str = Field(min_length=1, max_length=64)
    publisher: str = Field(min_length=1, max_length=120)
    parameters: int = Field(gt=0)
    context_tokens: int = Field(gt=0)
    languages: tuple[str, ...] = Field(min_length=1, description="codes of ISO 639-1")
    further_languages: int = Field(default=0, ge=0)
    licence: Licence
    origin: Origin
    source: str = Field(min_length=1, max_length=200)
    remark: str = Field(default="", max_length=200)


class KnownModels(BaseModel):
    """All of them, each name once."""

    model_config = _STRICT

    read_on: dt.date
    models: tuple[KnownModel, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _each_is_once(self) -> Self:
        if len({model.name for model in self.models}) < len(self.models):
            raise ValueError("names a model twice")
        return self

    def by_name(self, name: str) -> KnownModel | None:
        """Returns the model of a name; None where none has it."""
        return next((model for model in self.models if model.name == name), None)

    def installable(self) -> list[str]:
        """Returns the names of those that a package brings."""
        return [model.name for model in self.models if model.origin.package is not None]


def known_models() -> KnownModels:
    """Returns the table that lies beside this module."""
    return KnownModels.model_validate(yaml.safe_load(KNOWN_FILE.read_text(encoding="utf-8")))


def how_to_serve(model: KnownModel) -> str:
    """Returns a sentence on how a model that no package brings is served."""
    if model.origin.ships:
        return f"it ships: comptoir up --model {model.origin.ships}."
    return f"where a hub of models can be reached: comptoir up --model {model.origin.hub}."
