"""A chat, a stream and a structured answer with LlamaIndex; address and key come from OPENAI_… variables."""

import json
import os
import sys
from typing import Literal

from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.llms.openai import OpenAI
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel


class Opening(BaseModel):
    """When something is open."""

    day: Literal["lundi", "mardi"]
    is_open: bool


QUESTION = "Bonjour, qui es-tu ?"
model, known = sys.argv[1:]
address, key = os.environ["OPENAI_BASE_URL"], os.environ["OPENAI_API_KEY"]
# OpenAI's own class knows what a model can do by its name, and the one for servers like it asks for a
# completion, with POST /v1/completions.
openai = OpenAI(model=known, api_base=address)
like = OpenAILike(model=model, api_base=address, api_key=key)

chat = openai.chat([ChatMessage(role="user", content=QUESTION)])
completed = like.complete(QUESTION)
parts = [part.delta or "" for part in openai.stream_chat([ChatMessage(role="user", content=QUESTION)])]
structured = openai.structured_predict(Opening, PromptTemplate("{question}"), question=QUESTION)
said = {
    "chat": chat.message.content,
    "completed": completed.text,
    "streamed": "".join(parts),
    "parts": len(parts),
    "structured": structured.model_dump(),
}
print(json.dumps(said))
