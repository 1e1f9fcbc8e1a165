"""What a replica serves, as it is told to those who ask."""

from dataclasses import dataclass

from services.generator.domain.ports import Capabilities


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """The model by the catalog's words, and what its engine can do and hold."""

    name: str
    max_output_tokens: int
    # By the catalog's name; empty for a model that calls no tools.
    tool_format: str
    capabilities: Capabilities
    # By the catalog's name; empty for a model without reasoning.
    reasoning_format: str = ""
