"""What a model's chat template may be told: arguments by their names, and what an effort of reasoning is."""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

# What a chat template is told anyway.
TOLD_ANYWAY: Final = frozenset(
    {
        "add_generation_prompt",
        "chat_template",
        "continue_final_message",
        "conversation",
        "documents",
        "messages",
        "tokenize",
        "tools",
    }
)
ArgumentName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
ArgumentValue = StrictBool | StrictInt | Annotated[StrictStr, Field(max_length=256)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class EffortMeaning(BaseModel):
    """What an effort of reasoning means for a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    template_arguments: dict[ArgumentName, ArgumentValue] = Field(
        default_factory=dict, max_length=32, description="what the chat template is told"
    )
    thinking_token_budget: int | None = Field(
        default=None, ge=0, le=1_048_576, description="most tokens of reasoning; none sets no bound"
    )
