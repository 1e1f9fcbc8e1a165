"""The JSON of a result: it is read as it was written, and holds no words of anybody."""

import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from services.cli.bench.results import Result
from tests.services.cli.bench.results import result


def test_a_result_is_read_as_it_was_written() -> None:
    one = result(1, 4)
    assert Result.model_validate_json(one.model_dump_json()) == one


def test_another_version_is_refused_and_a_later_field_let_go() -> None:
    content: dict[str, Any] = json.loads(result().model_dump_json())
    assert Result.model_validate({**content, "later": 1}) == result()
    with pytest.raises(ValidationError):
        Result.model_validate({**content, "schema_version": "comptoir.bench/2"})


def test_every_number_says_what_it_is() -> None:
    silent, seen = [], set()

    def walk(model: type[BaseModel]) -> None:
        if model in seen:
            return
        seen.add(model)
        for name, field in model.model_fields.items():
            parts = seen_models(field.annotation)
            for part in parts:
                walk(part)
            if not parts and not field.description:
                silent.append(f"{model.__name__}.{name}")

    walk(Result)
    assert silent == []


def seen_models(annotation: Any) -> list[type[BaseModel]]:
    """The models in a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in seen_models(part)]
