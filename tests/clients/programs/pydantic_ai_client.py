"""A chat, a stream and a structured answer with pydantic-ai; address and key come from OPENAI_… variables."""

import asyncio
import json
import sys
from typing import Literal

from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel


class Opening(BaseModel):
    """When something is open."""

    day: Literal["lundi", "mardi"]
    is_open: bool


QUESTION = "Bonjour, qui es-tu ?"


async def main() -> None:
    model = OpenAIChatModel(sys.argv[1])
    chat = await Agent(model).run(QUESTION)
    async with Agent(model).run_stream(QUESTION) as stream:
        parts = [part async for part in stream.stream_text(delta=True)]
    # Its default asks with a tool.
    structured = await Agent(model, output_type=NativeOutput(Opening)).run(QUESTION)
    said = {
        "chat": chat.output,
        "streamed": "".join(parts),
        "parts": len(parts),
        "structured": structured.output.model_dump(),
    }
    print(json.dumps(said))


asyncio.run(main())
