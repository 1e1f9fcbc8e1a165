"""Which numbers an engine is told to compute in: on a CPU a float32 model stays one."""

import json
from pathlib import Path
from typing import Any, Final

from services.generator.domain.engine_parameters import ServedModel, VllmParameters
from services.runtime.logs import get_logger

_log = get_logger(__name__)

AUTO: Final = "auto"
_FLOAT32: Final = "float32"


def told_dtype(model: ServedModel, parameters: VllmParameters, *, is_cpu: bool) -> str:
    """Returns vLLM's word for them; `auto` leaves it the choice, which is half of float32 for such a model.

    That is worth it on a GPU. A CPU computes float32 as fast, and small models answer worse in less.
    """
    if parameters.dtype != AUTO or not is_cpu:
        return parameters.dtype
    return _FLOAT32 if _own_dtype(Path(model.path)) == _FLOAT32 else AUTO


def log_dtype(model: Any) -> str:
    """Returns what vLLM's configuration of a model came to, and logs it; a loss of precision is a warning."""
    chosen = _word(model.dtype)
    if chosen != _FLOAT32 and _word(getattr(model.hf_config, "dtype", "")) == _FLOAT32:
        _log.warning("dtype_narrowed", dtype=chosen)
    else:
        _log.info("dtype_chosen", dtype=chosen)
    return chosen


def _own_dtype(folder: Path) -> str:
    """Returns what the model's configuration says; empty where it says nothing, or is not there yet."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    if not isinstance(config, dict):
        return ""
    text = config.get("text_config")
    parts = (text, config) if isinstance(text, dict) else (config,)
    said = next((part[key] for part in parts for key in ("dtype", "torch_dtype") if part.get(key)), "")
    return _word(said)


def _word(dtype: object) -> str:
    return str(dtype).removeprefix("torch.")
