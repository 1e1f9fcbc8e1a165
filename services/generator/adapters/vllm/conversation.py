"""Messages as a chat template reads them, made by the functions of vLLM's own server."""

from typing import Any

from vllm.renderers.chat_utils import parse_chat_messages
from vllm.renderers.hf import resolve_chat_template_content_format

from services.generator.adapters.prompts.chat_prompt import Converse
from services.generator.adapters.prompts.plain_text import Messages


def converse_as_the_server(model_config: Any, tokenizer: Any) -> Converse:
    """Returns what makes a conversation of messages: strings or parts, as the model's template wants them.

    A template that goes through the parts of a content gets parts; any other gets one string, in which
    the parts stand on lines of their own.
    """
    content_format = resolve_chat_template_content_format(
        None, None, "auto", tokenizer, model_config=model_config
    )

    def converse(messages: Messages) -> Messages:
        conversation: Messages
        conversation, _, _ = parse_chat_messages(messages, model_config, content_format)
        return conversation

    return converse
