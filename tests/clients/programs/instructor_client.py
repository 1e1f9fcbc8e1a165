"""A chat, a stream, a structured answer and a tool with instructor; address and key: OPENAI_… variables."""

import json
import sys
from typing import Any, Literal

import instructor
from openai import OpenAI
from pydantic import BaseModel, ConfigDict


class Opening(BaseModel):
    """When something is open."""

    # It sends the schema as it is, and one that forbids nothing lets a small model add members without end.
    model_config = ConfigDict(extra="forbid")

    day: Literal["lundi", "mardi"]
    is_open: bool


client = instructor.from_openai(OpenAI(), mode=instructor.Mode.JSON_SCHEMA)
asked: Any = {"model": sys.argv[1], "messages": [{"role": "user", "content": "Bonjour, qui es-tu ?"}]}

chat = client.create(response_model=None, **asked)
parts = list(client.create_partial(response_model=Opening, **asked))
structured = client.create(response_model=Opening, **asked)
# Its default: the answer is the call of a tool that it forces.
called = instructor.from_openai(OpenAI()).create(response_model=Opening, **asked)
said = {
    "chat": chat.choices[0].message.content,
    "streamed": parts[-1].model_dump_json(),
    "parts": len(parts),
    "structured": structured.model_dump(),
    "called": called.model_dump(),
}
print(json.dumps(said))
