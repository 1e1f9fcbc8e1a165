"""What the try-it box asks of the edge."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

MOST_PROMPT_CHARACTERS: Final = 20_000
MOST_OUTPUT_TOKENS: Final = 4_096


class Trial(BaseModel):
    """One question to one model."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    model: str = Field(min_length=1, max_length=256)
    prompt: str = Field(min_length=1, max_length=MOST_PROMPT_CHARACTERS, repr=False)
    max_output_tokens: int = Field(default=256, ge=1, le=MOST_OUTPUT_TOKENS)

    def chat(self) -> dict[str, Any]:
        """Returns the body of OpenAI's request."""
        return {
            "model": self.model,
            "messages": [{"role": "user", "content": self.prompt}],
            "max_completion_tokens": self.max_output_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
