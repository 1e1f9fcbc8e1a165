"""The models of a key, as OpenAI lists them, with the sizes that clients of other servers look for."""

import json

import pytest

from services.edge.domain.openai.models import model_json, model_list_json
from services.edge.domain.ports import Model, Retirement


def test_models_are_listed_as_openai_lists_them() -> None:
    models = [Model("a", "a", 1, 4096, 1024), Model("b/c", "a", 2, 4096, 1024)]
    body = json.loads(model_list_json(models))
    assert body["object"] == "list"
    assert body["data"][1] == {
        "id": "b/c",
        "object": "model",
        "created": 2,
        "owned_by": "comptoir",
        "root": "a",
        "parent": None,
        "max_model_len": 4096,
        "context_window": 4096,
        "context_length": 4096,
        "max_output_tokens": 1024,
        "max_completion_tokens": 1024,
        "shutdown_date": None,
        "task": "generate",
    }
    assert json.loads(model_list_json([]))["data"] == []


@pytest.mark.parametrize(
    ("retirement", "date"),
    [(Retirement(1), None), (Retirement(1, 1_800_000_000), "2027-01-15")],
)
def test_a_retired_name_says_when_it_goes_away(retirement: Retirement, date: str | None) -> None:
    assert json.loads(model_json(Model("a", "b", 1, 2, 3, retirement)))["shutdown_date"] == date
