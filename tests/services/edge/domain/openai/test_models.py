import json
from dataclasses import dataclass

from services.edge.domain.openai.models import model_list_json


@dataclass
class Facts:
    name: str
    created_at_seconds: int


def test_models_are_listed_as_openai_lists_them() -> None:
    body = json.loads(model_list_json([Facts("a", 1), Facts("b/c", 2)]))
    assert body["object"] == "list"
    assert body["data"][1] == {"id": "b/c", "object": "model", "created": 2, "owned_by": "comptoir"}
    assert json.loads(model_list_json([]))["data"] == []
