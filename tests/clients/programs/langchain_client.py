"""A chat, a stream, a structured answer and a tool with LangChain; address and key: OPENAI_… variables.

Usage: langchain_client.py MODEL [responses].
"""

import json
import sys
from typing import Literal

from langchain_openai import ChatOpenAI
from pydantic import BaseModel


class Opening(BaseModel):
    """When something is open."""

    day: Literal["lundi", "mardi"]
    is_open: bool


QUESTION = "Bonjour, qui es-tu ?"
model = ChatOpenAI(model=sys.argv[1], use_responses_api="responses" in sys.argv)

chat = model.invoke(QUESTION)
parts = [chunk.text for chunk in model.stream(QUESTION)]
structured = model.with_structured_output(Opening).invoke(QUESTION)
# Strict, as its structured answers are by default: without, its schema forbids nothing, and a small model
# adds members without end.
called = model.bind_tools([Opening], tool_choice="required", strict=True).invoke(QUESTION)
said = {
    "chat": chat.text,
    "streamed": "".join(parts),
    "parts": len(parts),
    "structured": structured.model_dump(),
    "called": called.tool_calls[0]["args"],
}
print(json.dumps(said))
