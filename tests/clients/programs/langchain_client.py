"""A chat, a stream and a structured answer with LangChain; address and key come from OPENAI_… variables."""

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
model = ChatOpenAI(model=sys.argv[1])

chat = model.invoke(QUESTION)
parts = [str(chunk.content) for chunk in model.stream(QUESTION)]
structured = model.with_structured_output(Opening).invoke(QUESTION)
said = {
    "chat": chat.content,
    "streamed": "".join(parts),
    "parts": len(parts),
    "structured": structured.model_dump(),
}
print(json.dumps(said))
