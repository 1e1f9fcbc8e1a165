"""What a model thinks, as LangChain reads it of responses; address and key: OPENAI_… variables.

Usage: langchain_reasoning.py MODEL.
"""

import json
import sys

from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI

QUESTION = "Bonjour, qui es-tu ?"
model = ChatOpenAI(
    model=sys.argv[1],
    use_responses_api=True,
    reasoning={"effort": "low", "summary": "auto"},
    temperature=0,
    max_completion_tokens=100,
)


def told(message: AIMessage) -> dict[str, str]:
    """Returns what was thought and what was said."""
    blocks = message.content_blocks
    thoughts = [block.get("reasoning", "") for block in blocks if block["type"] == "reasoning"]
    return {"thought": "".join(thoughts), "said": message.text}


whole = model.invoke(QUESTION)
chunks = list(model.stream(QUESTION))
streamed = chunks[0]
for chunk in chunks[1:]:
    streamed += chunk
# The next turn, with the message as it came.
turn = model.invoke([HumanMessage(QUESTION), whole, HumanMessage(QUESTION)])
print(json.dumps({"whole": told(whole), "streamed": told(streamed), "next turn": told(turn)}))
