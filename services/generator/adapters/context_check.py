"""Refuses a context that the memory of an engine cannot hold, before the engine loads its model."""

import json
from pathlib import Path
from typing import Final

from services.generator.adapters.accelerators import Accelerators
from services.generator.domain.context_room import ContextRoom, EngineMemory, room_for_context
from services.generator.domain.engine_parameters import ServedModel, VllmParameters
from services.memory import configuration
from services.memory.errors import UnknownModelError
from services.runtime.logs import get_logger
from services.runtime.settings import SettingsError

_log = get_logger(__name__)
_MEBIBYTE: Final = 2**20


def check_context(model: ServedModel, parameters: VllmParameters, dtype: str, *, is_cpu: bool) -> None:
    """Raises SettingsError with the largest context that fits, where the model's own does not.

    What cannot be counted, such as a model of a type that is not known, is left to the engine, and logged.
    """
    try:
        config = json.loads((Path(model.path) / "config.json").read_text(encoding="utf-8"))
        shape = configuration.read(config, dtype=dtype)
    except (OSError, ValueError, AttributeError, RecursionError):
        _log.info("context_left_to_engine", kind="configuration_unread")
        return
    except UnknownModelError:
        _log.info("context_left_to_engine", kind="architecture_unknown")
        return
    room = room_for_context(shape, model, parameters, _memory(is_cpu=is_cpu))
    if room is None:
        _log.info("context_left_to_engine", kind="memory_unknown")
    elif not room.fits and room.is_certain:
        raise SettingsError(_sentence(room, parameters))
    elif not room.fits:
        _log.warning("context_may_not_fit", count=room.longest_tokens)


def _memory(*, is_cpu: bool) -> EngineMemory:
    if is_cpu:
        return EngineMemory(is_cpu=True)
    return EngineMemory(
        is_cpu=False, accelerator_bytes=min((one.total_bytes for one in Accelerators().memory()), default=0)
    )


def _sentence(room: ContextRoom, parameters: VllmParameters) -> str:
    needed, has = (f"{count / _MEBIBYTE:,.1f} MiB" for count in (room.needed_bytes, room.has_bytes))
    fits = (
        f"the largest context that fits is {room.longest_tokens}"
        if room.longest_tokens
        else "no context fits"
    )
    ways = ["set context_tokens of the model to it in catalog.models"] if room.longest_tokens else []
    if parameters.kv_cache_memory_bytes:
        ways.append(f"set generator.vllm.kv_cache_memory_bytes to {room.needed_bytes} or more")
    else:
        ways.append("take a GPU with more memory or raise generator.vllm.tensor_parallel_size")
    return (
        f"the context of {room.context_tokens} tokens takes {needed} of KV cache and there is room for "
        f"{has}: {fits}; {', or '.join(ways)}"
    )
