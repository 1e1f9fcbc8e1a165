"""A chat, a stream, a structured answer and a tool with LlamaIndex; address and key: OPENAI_… variables."""

import json
import os
import sys
from typing import Literal

from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
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

opening = FunctionTool.from_defaults(fn=Opening, name="opening", description="Takes an opening.")

chat = openai.chat([ChatMessage(role="user", content=QUESTION)])
completed = like.complete(QUESTION)
parts = [part.delta or "" for part in openai.stream_chat([ChatMessage(role="user", content=QUESTION)])]
structured = openai.structured_predict(Opening, PromptTemplate("{question}"), question=QUESTION)
called = openai.chat_with_tools([opening], user_msg=QUESTION, tool_required=True)
said = {
    "chat": chat.message.content,
    "completed": completed.text,
    "streamed": "".join(parts),
    "parts": len(parts),
    "structured": structured.model_dump(),
    "called": openai.get_tool_calls_from_response(called)[0].tool_kwargs,
}
print(json.dumps(said))
