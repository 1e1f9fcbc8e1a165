"""The settings of all processes on one machine, from a few choices."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import (
    DEFAULT_MODEL,
    EMBEDDER,
    METERED,
    Addresses,
    EngineName,
    StackOptions,
)
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.plan import ENGINE_START_SECONDS
from deploy.local.stack.secret_files import SIGNING_KEY_NUMBER

REGION: Final = "eu-fr"
_DEFAULT_CONTEXT_TOKENS: Final = 4096
_EMBEDDER_CACHE_BYTES: Final = 16 * 1024 * 1024
# One request of this length fits the default KV cache of the CPU engine for small models.
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
# Keys of addresses, which follow from `--port`.
PORTS_CHOOSE: Final = frozenset(
    {"listen", "admin_listen", "replica_listen", "controller_port", "metrics_listen"}
)


def build_config(options: StackOptions, addresses: Addresses, paths: DataPaths) -> dict[str, Any]:
    """Returns the one YAML document of all processes; `options.overrides` wins, key by key."""
    name, context_tokens = _model(options)
    document: dict[str, Any] = {
        "region": REGION,
        "catalog": {
            "regions": [{"number": 1, "name": REGION, "is_eu": True}],
            "models": [
                {
                    "number": 1,
                    "name": name,
                    "context_tokens": context_tokens,
                    "max_output_tokens": min(context_tokens, 4096),
                    **_formats(Path(options.model)),
                },
                *_embedding_models(options),
            ],
        },
        "edge": _edge(addresses, paths),
        "router": _router(options, addresses, paths),
        "generator": _generator(options, addresses, paths, name),
        "emitter": _emitter(addresses, paths),
        "usage": _usage(addresses, paths),
        "local_kafka": _local_kafka(addresses, paths),
        "local_clickhouse": {
            "listen": addresses.local_clickhouse,
            "data_folder": str(paths.clickhouse),
            "writer_password_file": str(paths.secrets / "clickhouse-writer-password"),
        },
    }
    for process in METERED:
        document[process]["metrics_listen"] = {"port": addresses.metrics_port(process)}
    return merge(document, options.overrides)


def embedder_config(document: dict[str, Any], options: StackOptions, addresses: Addresses) -> dict[str, Any]:
    """Returns the document of the generator of vectors: that of all, with a section of its own."""
    name, _ = _model_at(options.embedding_model, options.engine)
    changes = {
        "listen": {"address": addresses.embedder},
        "replica": 2,
        "model": name,
        "model_path": options.embedding_model,
        "metrics_listen": {"port": addresses.metrics_port(EMBEDDER)},
        # No input stays in a cache, and vLLM asks for one that holds the longest.
        # On a GPU vLLM starts only where this share is free, which is what the first engine leaves.
        "vllm": {
            "is_download_allowed": False,
            "kv_cache_memory_bytes": _EMBEDDER_CACHE_BYTES,
            "gpu_memory_utilization": 0.05,
        },
    }
    return document | {"generator": document["generator"] | changes}


def without_unknown_embedder(options: StackOptions, document: dict[str, Any]) -> StackOptions:
    """Returns the options without a model of vectors that the catalog of `--config` does not have."""
    if not options.embedding_model:
        return options
    name, _ = _model_at(options.embedding_model, options.engine)
    models = document["catalog"].get("models")
    names = (
        [model.get("name") for model in models if isinstance(model, dict)] if isinstance(models, list) else []
    )
    return options if name in names else replace(options, embedding_model="")


def _embedding_models(options: StackOptions) -> list[dict[str, Any]]:
    if not options.embedding_model:
        return []
    name, context_tokens = _model_at(options.embedding_model, options.engine)
    return [{"number": 2, "name": name, "task": "embed", "context_tokens": context_tokens}]


def merge(document: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Returns `document` with `overrides` laid over it; mappings are merged, all else is replaced.

    StackError where a mapping would be replaced by something else, or an address that only
    --port may choose by anything.
    """
    merged = dict(document)
    for key, value in overrides.items():
        below = merged.get(key)
        if key in PORTS_CHOOSE and key in merged:
            raise StackError(f"--config may not set {key}: the addresses follow from --port.")
        if isinstance(below, dict) and not isinstance(value, dict):
            raise StackError(f"--config must hold a mapping below {key}, or leave it out.")
        merged[key] = merge(below, value) if isinstance(below, dict) else value
    return merged


def _model(options: StackOptions) -> tuple[str, int]:
    return _model_at(options.model, options.engine)


def _model_at(model: str, engine: EngineName) -> tuple[str, int]:
    """Returns name and context of a model; StackError where the path holds none."""
    folder = Path(model)
    if not folder.is_dir():
        is_hub_name = model.count("/") == 1 and not model.startswith((".", "/", "~"))
        if engine == "vllm" and not is_hub_name:
            raise StackError(
                f"There is no model at {model}; give --model a folder with config.json and "
                "safetensors, or an organisation/name of the model hub."
            )
        return model.rstrip("/").rpartition("/")[2], _DEFAULT_CONTEXT_TOKENS
    description = folder / "config.json"
    try:
        content = json.loads(description.read_text(encoding="utf-8"))
        context = min(int(content["max_position_embeddings"]), _MOST_CONTEXT_TOKENS)
    except (OSError, ValueError, KeyError, TypeError):
        if engine == "simulated":
            return folder.name, _DEFAULT_CONTEXT_TOKENS
        raise StackError(
            f"{description} is missing or says no max_position_embeddings; "
            "give --model a complete model folder."
        ) from None
    return folder.name, context


def _formats(folder: Path) -> dict[str, Any]:
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


def _edge(addresses: Addresses, paths: DataPaths) -> dict[str, Any]:
    return {
        "listen": {"host": "127.0.0.1", "port": addresses.port},
        "router": {"address": addresses.router},
        "emitter": {"address": f"unix:{paths.emitter_socket}"},
    }


def _router(options: StackOptions, addresses: Addresses, paths: DataPaths) -> dict[str, Any]:
    # The embedder starts once the first engine is ready, and who asks for vectors meanwhile waits for it.
    waits = {"first_replica_seconds": ENGINE_START_SECONDS} if options.embedding_model else {}
    return {
        **waits,
        "listen": {"address": addresses.router},
        "replica_listen": {"address": f"unix:{paths.replica_socket}"},
        "admin_listen": {"address": f"unix:{paths.admin_socket}"},
        "emitter": {"address": f"unix:{paths.emitter_socket}"},
        "database_file": str(paths.router_database),
        "pepper_file": str(paths.secrets / "pepper"),
        "signing_key_file": str(paths.secrets / "signing-key"),
        "signing_key_number": SIGNING_KEY_NUMBER,
    }


def _generator(options: StackOptions, addresses: Addresses, paths: DataPaths, name: str) -> dict[str, Any]:
    return {
        "listen": {"address": addresses.generator},
        "router": {"address": f"unix:{paths.replica_socket}"},
        "emitter": {"address": f"unix:{paths.emitter_socket}"},
        "replica": 1,
        "engine": options.engine,
        "model": name,
        "model_path": options.model,
        # A name of the hub instead of a folder asks for the download.
        "vllm": {"is_download_allowed": not Path(options.model).is_dir()},
        "ticket_public_keys": {
            SIGNING_KEY_NUMBER: str(paths.secrets / f"ticket-{SIGNING_KEY_NUMBER}.pub"),
        },
        "cache_salt_secret_file": str(paths.secrets / "cache-salt"),
    }


def _emitter(addresses: Addresses, paths: DataPaths) -> dict[str, Any]:
    return {
        "listen": {"address": f"unix:{paths.emitter_socket}"},
        "spool_folder": str(paths.spool),
        "kafka": {"bootstrap": addresses.kafka},
        "pseudonym_epoch": 1,
        "pseudonym_secret_file": str(paths.secrets / "pseudonym-epoch-1"),
    }


def _usage(addresses: Addresses, paths: DataPaths) -> dict[str, Any]:
    return {
        "listen": {"address": addresses.usage},
        # The supervisor runs one, so a new one takes the place of one that was killed.
        "kafka": {"bootstrap": addresses.kafka, "group_instance_id": "usage"},
        "clickhouse": {
            "url": addresses.clickhouse_url,
            "user": "comptoir_writer",
            "password_file": str(paths.secrets / "clickhouse-writer-password"),
        },
    }


def _local_kafka(addresses: Addresses, paths: DataPaths) -> dict[str, Any]:
    return {
        "listen": addresses.local_kafka,
        "controller_port": addresses.kafka_controller_port,
        "data_folder": str(paths.kafka),
    }
