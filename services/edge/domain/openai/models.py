"""The JSON of the models that a key may use."""

from collections.abc import Sequence
from typing import Protocol

from services.edge.domain.openai.answers import quoted


class ModelFacts(Protocol):
    """What the list of models says of one."""

    @property
    def name(self) -> str:
        """Name in requests."""
        ...

    @property
    def created_at_seconds(self) -> int:
        """When the catalog took it up."""
        ...


def model_json(model: ModelFacts) -> str:
    """Returns one `model` object."""
    return (
        f'{{"id":{quoted(model.name)},"object":"model","created":{model.created_at_seconds},'
        '"owned_by":"comptoir"}'
    )


def model_list_json(models: Sequence[ModelFacts]) -> bytes:
    """Returns the `list` object of models."""
    return f'{{"object":"list","data":[{",".join(map(model_json, models))}]}}'.encode()
