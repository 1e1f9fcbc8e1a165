"""How much room a region has: replicas, queues, KV caches, memory of accelerators."""

from grafana_foundation_sdk.models.dashboard import Dashboard

from deploy.dashboards.board import Panels, board
from deploy.dashboards.panels import Series, graph, number, stored_graph
from deploy.dashboards.promql import largest, rate, smallest, total
from deploy.dashboards.sql import select
from services.runtime.metrics.registry import edge, generator, router

_REGION_MODEL = "{{region}} {{gen_ai_request_model}}"
_REPLICA = "{{region}} {{gen_ai_request_model}} {{instance}}"
_BY = ("region", "gen_ai_request_model")
_EACH = (*_BY, "instance")
_CHOSEN = ("region", "model")


def build() -> Dashboard:
    """Returns the dashboard."""
    return board(
        "comptoir-capacity",
        "Comptoir: capacity and memory headroom",
        "How many requests fit, and what runs out first.",
        {"Now": _now(), "Replicas": _replicas(), "Engines": _engines(), "Accelerators": _accelerators()},
    )


def _now() -> Panels:
    ready = total(router.REPLICAS, *_EACH, where='state="ready"')
    return (
        number(
            "Replicas that take requests",
            "As the router with the fewest sees them.",
            "short",
            Series(f"min by (region, gen_ai_request_model) ({ready})", _REGION_MODEL),
        ),
        number(
            "KV cache in use, the fullest",
            generator.ENGINE_KV_USAGE.meaning,
            "percentunit",
            Series(largest(generator.ENGINE_KV_USAGE, *_BY), _REGION_MODEL),
            bad_from=0.9,
        ),
        number(
            "Requests that wait in engines",
            generator.ENGINE_WAITING.meaning,
            "short",
            Series(total(generator.ENGINE_WAITING, *_BY), _REGION_MODEL),
        ),
        number(
            "Free accelerator memory, the least",
            generator.MEMORY_FREE.meaning,
            "bytes",
            Series(smallest(generator.MEMORY_FREE, *_BY), _REGION_MODEL),
        ),
    )


def _replicas() -> Panels:
    return (
        graph(
            "Replicas by state",
            router.REPLICAS.meaning,
            "short",
            Series(largest(router.REPLICAS, *_BY, "state"), f"{_REGION_MODEL} {{{{state}}}}"),
        ),
        graph(
            "Replicas that there should be",
            router.DESIRED_REPLICAS.meaning,
            "short",
            Series(largest(router.DESIRED_REPLICAS, *_BY), _REGION_MODEL),
        ),
        graph(
            "Requests that routers hold",
            router.HELD_REQUESTS.meaning,
            "short",
            Series(total(router.HELD_REQUESTS, "region"), "{{region}}"),
        ),
        graph(
            "Registrations of replicas",
            router.REPLICA_REGISTRATIONS.meaning,
            "short",
            Series(
                rate(router.REPLICA_REGISTRATIONS, *_BY, "comptoir_replica"),
                f"{_REGION_MODEL} {{{{comptoir_replica}}}}",
            ),
        ),
        graph(
            "Why batch is held back",
            router.BATCH_HELD_BACK.meaning,
            "short",
            Series(largest(router.BATCH_HELD_BACK, *_BY), _REGION_MODEL),
        ),
        graph(
            "Open requests at the edge",
            edge.OPEN_REQUESTS.meaning,
            "short",
            Series(total(edge.OPEN_REQUESTS, "region"), "{{region}}"),
        ),
    )


def _engines() -> Panels:
    return (
        graph(
            "Running and waiting requests",
            "In the batch of each engine, and in its queue.",
            "short",
            Series(total(generator.ENGINE_RUNNING, *_EACH), f"{_REPLICA} running"),
            Series(total(generator.ENGINE_WAITING, *_EACH), f"{_REPLICA} waiting"),
        ),
        graph(
            "KV cache in use",
            generator.ENGINE_KV_USAGE.meaning,
            "percentunit",
            Series(largest(generator.ENGINE_KV_USAGE, *_EACH), _REPLICA),
        ),
        graph(
            "Preemptions",
            generator.ENGINE_PREEMPTIONS.meaning,
            "short",
            Series(rate(generator.ENGINE_PREEMPTIONS, *_EACH), _REPLICA),
        ),
        graph(
            "Age of the engine's numbers",
            generator.ENGINE_LOAD_AGE.meaning,
            "s",
            Series(largest(generator.ENGINE_LOAD_AGE, *_EACH), _REPLICA),
        ),
        stored_graph(
            "KV blocks, filled by predicted, by hour, of the store",
            "What requests that ended by themselves filled, by what routers expected when they placed them, "
            "from the view kv_predictions: 1 is right, above 1 too little was expected.",
            "percentunit",
            select(
                "kv_predictions",
                "toStartOfHour(started_at) AS time",
                "concat(region, ' ', model) AS series",
                "sum(actual_kv_blocks) / sum(predicted_kv_blocks) AS filled_by_predicted",
                hour="started_at",
                chosen=_CHOSEN,
                where="is_whole AND actual_per_predicted IS NOT NULL",
                group="time, series",
                order="time",
            ),
        ),
    )


def _accelerators() -> Panels:
    by = (*_EACH, "device")
    name = f"{_REPLICA} {{{{device}}}}"
    share = f"{smallest(generator.MEMORY_FREE, *by)} / {smallest(generator.MEMORY_TOTAL, *by)}"
    return (
        graph(
            "Free memory",
            generator.MEMORY_FREE.meaning,
            "bytes",
            Series(smallest(generator.MEMORY_FREE, *by), name),
        ),
        graph("Free memory, of all", generator.MEMORY_FREE.meaning, "percentunit", Series(share, name)),
    )
