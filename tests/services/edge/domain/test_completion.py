import json
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from services.edge.domain.chat import Finished, FinishReason
from services.edge.domain.completion import completion_json, model_list_json, quoted


@dataclass
class Facts:
    name: str
    created_at_seconds: int


@given(st.text())
def test_quoted_text_is_json_for_the_same_text(text: str) -> None:
    assert json.loads(quoted(text)) == text


@given(st.text(), st.integers(0, 2**32 - 1))
def test_a_whole_answer_is_a_chat_completion(text: str, tokens: int) -> None:
    body = json.loads(
        completion_json(
            request_hex="ab" * 16,
            model="org/m",
            created_seconds=7,
            text=text,
            finished=Finished(FinishReason.STOP, tokens, 0, 1),
        )
    )
    assert body["id"] == f"chatcmpl-{'ab' * 16}"
    assert body["object"] == "chat.completion"
    assert body["choices"][0]["message"] == {"role": "assistant", "content": text, "refusal": None}
    assert body["usage"]["total_tokens"] == tokens + 1


def test_models_are_listed_as_openai_lists_them() -> None:
    body = json.loads(model_list_json([Facts("a", 1), Facts("b/c", 2)]))
    assert body["object"] == "list"
    assert body["data"][1] == {"id": "b/c", "object": "model", "created": 2, "owned_by": "comptoir"}
    assert json.loads(model_list_json([]))["data"] == []
