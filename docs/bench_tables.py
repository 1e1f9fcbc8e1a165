"""What a result of `comptoir bench` holds, from the descriptions of its fields."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from services.cli.bench.results import Result


def result_fields() -> Iterator[str]:
    """Yields a row for each field that holds a value, by its path."""
    yield "| Field | Is |"
    yield "|---|---|"
    yield from _rows(Result, "")
    yield ""


def _rows(model: type[BaseModel], place: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        parts = _models(field.annotation)
        many = "[]" if _is_list(field.annotation) else ""
        path = f"{place}{name}{many}"
        said = field.description or (parts[0].__doc__ if parts else "") or ""
        yield f"| `{path}` | {said.strip().rstrip('.')} |"
        # Distributions are told of once.
        if parts and not (parts[0].__name__ == "Distribution" and name != "ttft_seconds"):
            yield from _rows(parts[0], f"{path}.")


def _is_list(annotation: Any) -> bool:  # what a type may be
    return getattr(annotation, "__origin__", None) is tuple


def _models(annotation: Any) -> list[type[BaseModel]]:  # what a type may be
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]
