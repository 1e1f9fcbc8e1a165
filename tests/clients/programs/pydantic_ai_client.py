"""A chat, a stream, a structured answer and a tool with pydantic-ai; address and key: OPENAI_… variables.

Usage: pydantic_ai_client.py MODEL [responses].
"""

import asyncio
import json
import sys
from typing import Literal

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel


class Opening(BaseModel):
    """When something is open."""

    day: Literal["lundi", "mardi"]
    is_open: bool


QUESTION = "Bonjour, qui es-tu ?"


async def main() -> None:
    kind = OpenAIResponsesModel if "responses" in sys.argv else OpenAIChatModel
    model = kind(sys.argv[1])
    chat = await Agent(model).run(QUESTION)
    async with Agent(model).run_stream(QUESTION) as stream:
        parts = [part async for part in stream.stream_text(delta=True)]
    structured = await Agent(model, output_type=NativeOutput(Opening)).run(QUESTION)
    # Its default: the answer is the call of a tool that it has to call.
    called = await Agent(model, output_type=Opening).run(QUESTION)
    said = {
        "chat": chat.output,
        "streamed": "".join(parts),
        "parts": len(parts),
        "structured": structured.output.model_dump(),
        "called": called.output.model_dump(),
    }
    print(json.dumps(said))


asyncio.run(main())
