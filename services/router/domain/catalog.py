"""The models and regions of the deployment, by number and by name."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Model:
    """A model that tenants may name, and its limits in tokens."""

    number: int
    name: str
    created_at_seconds: int
    context_tokens: int
    max_output_tokens: int
    max_bytes_per_token: int


@dataclass(frozen=True, slots=True)
class Region:
    """A region that may serve, or be a tenant's home."""

    number: int
    name: str
    is_eu: bool


class Catalog:
    """Looks models and regions up; it never changes while the process runs."""

    def __init__(self, models: Sequence[Model], regions: Sequence[Region]) -> None:
        self.models = tuple(sorted(models, key=lambda model: model.name))
        self._models_by_name = {model.name: model for model in models}
        self._models_by_number = {model.number: model for model in models}
        self._regions_by_name = {region.name: region for region in regions}
        self._regions_by_number = {region.number: region for region in regions}

    def model_named(self, name: str) -> Model | None:
        """Return the model of that name, or None."""
        return self._models_by_name.get(name)

    def model(self, number: int) -> Model | None:
        """Return the model with that number, or None."""
        return self._models_by_number.get(number)

    def region_named(self, name: str) -> Region | None:
        """Return the region of that name, or None."""
        return self._regions_by_name.get(name)

    def region(self, number: int) -> Region | None:
        """Return the region with that number, or None."""
        return self._regions_by_number.get(number)
