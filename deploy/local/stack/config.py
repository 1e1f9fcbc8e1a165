"""The settings of all processes on one machine, from a few choices."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, count
from pathlib import Path
from typing import Any, Final

from deploy.local.stack.cache_room import LEAST_CACHE_BYTES
from deploy.local.stack.errors import StackError
from deploy.local.stack.generators import GENERATORS, PlannedGenerator, generative_models, planned_generators
from deploy.local.stack.models import formats, kv_cache, name_and_context
from deploy.local.stack.options import CONSOLE, EMBEDDER, METERED, Addresses, StackOptions, router_name
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.plan import ENGINE_START_SECONDS
from deploy.local.stack.secret_files import SIGNING_KEY_NUMBER

REGION: Final = "eu-fr"
_EMBEDDER_CACHE_BYTES: Final = 16 * 1024 * 1024
# Keys of addresses, which follow from `--port`.
PORTS_CHOOSE: Final = frozenset(
    {"listen", "admin_listen", "replica_listen", "controller_port", "metrics_listen"}
)


def build_config(options: StackOptions, addresses: Addresses, paths: DataPaths) -> dict[str, Any]:
    """Returns the one YAML document of all processes; `options.overrides` wins, key by key."""
    shared = _shared(options, addresses, paths)
    first = planned_generators(options)[0]
    return shared | {"generator": merge(shared["generator"], first.settings)}


def generator_configs(
    options: StackOptions, addresses: Addresses, paths: DataPaths
) -> dict[str, dict[str, Any]]:
    """Returns the documents of the generators beside the first, by the names of their processes.

    Each is that of all, with a section `generator` of its own.
    """
    shared = _shared(options, addresses, paths)
    return {
        each.name: shared | {"generator": _further_generator(shared["generator"], each, options, addresses)}
        for each in planned_generators(options)
        if not each.is_first
    }


def router_configs(
    options: StackOptions, addresses: Addresses, paths: DataPaths
) -> dict[str, dict[str, Any]]:
    """Returns the documents of the routers beside the first, by the names of their processes."""
    shared = _shared(options, addresses, paths)
    return {
        router_name(number): shared | {"router": shared["router"] | _further_router(number, addresses, paths)}
        for number in range(2, options.routers + 1)
    }


def _further_router(number: int, addresses: Addresses, paths: DataPaths) -> dict[str, Any]:
    return {
        "number": number,
        "listen": {"address": addresses.router_at(number)},
        "replica_listen": {"address": f"unix:{paths.replica_socket_of(number)}"},
        "admin_listen": {"address": f"unix:{paths.admin_socket_of(number)}"},
        "metrics_listen": {"port": addresses.metrics_port(router_name(number))},
    }


def _shared(options: StackOptions, addresses: Addresses, paths: DataPaths) -> dict[str, Any]:
    document: dict[str, Any] = {
        "region": REGION,
        "catalog": {
            "regions": [{"number": 1, "name": REGION, "is_eu": True}],
            "models": _models(options),
        },
        "edge": _edge(options, addresses, paths),
        "router": _router(options, addresses, paths),
        "generator": _generator(options, addresses, paths),
        "emitter": _emitter(addresses, paths),
        "usage": _usage(addresses, paths),
        "console": _console(options, addresses, paths),
        "local_kafka": _local_kafka(addresses, paths),
        "local_clickhouse": {
            "listen": addresses.local_clickhouse,
            "data_folder": str(paths.clickhouse),
            "writer_password_file": str(paths.secrets / "clickhouse-writer-password"),
        },
    }
    for process in (*METERED, CONSOLE):
        document[process]["metrics_listen"] = {"port": addresses.metrics_port(process)}
    overrides = {key: value for key, value in options.overrides.items() if key != GENERATORS}
    return merge(document, overrides)


def _further_generator(
    section: dict[str, Any], generator: PlannedGenerator, options: StackOptions, addresses: Addresses
) -> dict[str, Any]:
    name, _ = name_and_context(generator.model, options.engine)
    # On a GPU vLLM starts only where this share is free, which is what the first engine leaves.
    vllm = {"is_download_allowed": not Path(generator.model).is_dir(), "gpu_memory_utilization": 0.05}
    if generator.name == EMBEDDER:
        # No input stays in a cache, and vLLM asks for one that holds the longest.
        vllm["kv_cache_memory_bytes"] = _EMBEDDER_CACHE_BYTES
    else:
        vllm = section["vllm"] | vllm | _own_cache(generator.model, options)
    own = {
        "listen": {"address": addresses.generator_at(generator.name)},
        "replica": generator.number,
        "model": name,
        "model_path": generator.model,
        "metrics_listen": {"port": addresses.metrics_port(generator.name)},
        "vllm": vllm,
    }
    return merge(section | own, generator.settings)


def _own_cache(model: str, options: StackOptions) -> dict[str, int]:
    """Returns the cache of a model beside the first, unless `--config` says one for all."""
    if options.engine != "vllm" or "kv_cache_memory_bytes" in options.overrides.get("generator", {}).get(
        "vllm", {}
    ):
        return {}
    return kv_cache(model, options.engine) or {"kv_cache_memory_bytes": LEAST_CACHE_BYTES}


def without_unknown_embedder(options: StackOptions, document: dict[str, Any]) -> StackOptions:
    """Returns the options without a model of vectors that the catalog of `--config` does not have."""
    if not options.embedding_model:
        return options
    name, _ = name_and_context(options.embedding_model, options.engine)
    models = document["catalog"].get("models")
    names = (
        [model.get("name") for model in models if isinstance(model, dict)] if isinstance(models, list) else []
    )
    return options if name in names else replace(options, embedding_model="")


def _models(options: StackOptions) -> list[dict[str, Any]]:
    """Returns the catalog's models; the second is that of vectors, as keys know models by their numbers."""
    models = generative_models(options)
    answering = [_model(number, model, options) for number, model in zip(_numbers(), models, strict=False)]
    names = [entry["name"] for entry in answering]
    if len(set(names)) < len(names):
        raise StackError("Two models have the same name, which is that of their folders; rename one.")
    if not options.embedding_model:
        return answering
    name, context_tokens = name_and_context(options.embedding_model, options.engine)
    vectors = {"number": 2, "name": name, "task": "embed", "context_tokens": context_tokens}
    return [answering[0], vectors, *answering[1:]]


def _numbers() -> Iterator[int]:
    return chain((1,), count(3))


def _model(number: int, model: str, options: StackOptions) -> dict[str, Any]:
    name, context_tokens = name_and_context(model, options.engine)
    return {
        "number": number,
        "name": name,
        "context_tokens": context_tokens,
        "max_output_tokens": min(context_tokens, 4096),
        **formats(Path(model)),
    }


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


def _edge(options: StackOptions, addresses: Addresses, paths: DataPaths) -> dict[str, Any]:
    return {
        "listen": {"host": "127.0.0.1", "port": addresses.port},
        "router": {"address": addresses.router},
        **_further_routers([addresses.router_at(number) for number in range(2, options.routers + 1)]),
        "emitter": {"address": f"unix:{paths.emitter_socket}"},
        "prefix_secret_file": str(paths.secrets / "prompt-prefixes"),
    }


def _further_routers(addresses: list[str]) -> dict[str, Any]:
    return {"further_routers": [{"address": address} for address in addresses]} if addresses else {}


def _router(options: StackOptions, addresses: Addresses, paths: DataPaths) -> dict[str, Any]:
    # Other models start once the first engine is ready, and who asks for one meanwhile waits for it.
    is_one = not options.embedding_model and len(generative_models(options)) == 1
    waits = {} if is_one else {"first_replica_seconds": ENGINE_START_SECONDS}
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


def _generator(options: StackOptions, addresses: Addresses, paths: DataPaths) -> dict[str, Any]:
    model = generative_models(options)[0]
    name, _ = name_and_context(model, options.engine)
    return {
        "listen": {"address": addresses.generator},
        "router": {"address": f"unix:{paths.replica_socket}"},
        **_further_routers(
            [f"unix:{paths.replica_socket_of(number)}" for number in range(2, options.routers + 1)]
        ),
        "emitter": {"address": f"unix:{paths.emitter_socket}"},
        "replica": 1,
        "engine": options.engine,
        "model": name,
        "model_path": model,
        # A name of the hub instead of a folder asks for the download.
        "vllm": {"is_download_allowed": not Path(model).is_dir(), **kv_cache(model, options.engine)},
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


def _console(options: StackOptions, addresses: Addresses, paths: DataPaths) -> dict[str, Any]:
    further = [each.name for each in planned_generators(options) if not each.is_first]
    routers = range(2, options.routers + 1)
    asked = {
        "router": addresses.router,
        **{router_name(number): addresses.router_at(number) for number in routers},
        "generator": addresses.generator,
        **{name: addresses.generator_at(name) for name in further},
        "emitter": f"unix:{paths.emitter_socket}",
        "usage": addresses.usage,
    }
    return {
        "listen": {"port": addresses.console_port},
        "secret_file": str(paths.console_secret),
        "admin": {"address": f"unix:{paths.admin_socket}"},
        "edge": {"url": f"http://{addresses.edge}"},
        "store": {"url": addresses.clickhouse_url},
        "processes": {name: {"address": address} for name, address in asked.items()},
    }


def _local_kafka(addresses: Addresses, paths: DataPaths) -> dict[str, Any]:
    return {
        "listen": addresses.local_kafka,
        "controller_port": addresses.kafka_controller_port,
        "data_folder": str(paths.kafka),
    }
