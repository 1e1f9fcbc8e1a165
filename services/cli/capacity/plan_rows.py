"""A plan as rows that a page and a terminal share: what, how many, and why so many."""

from services.cli.capacity.sizing import Plan


def rows_of(planned: Plan) -> list[tuple[str, str, str]]:
    """Returns a row for each part of a plan."""
    return [
        ("requests per second", _number(planned.requests_per_second), "streams x tokens/s ÷ output tokens"),
        ("replicas", _number(planned.replicas), "streams ÷ streams per replica"),
        ("cells", _number(planned.cells), "replicas ÷ those of a cell"),
        ("replicas of a cell", _number(planned.replicas_of_a_cell), "as many as one router admits for"),
        ("routers", _number(planned.routers), "two of each cell, of which one is asked"),
        ("edges", _number(planned.edges), "CPU of tokens and requests, connections, memory"),
        (
            "CPU of an edge per token, µs",
            _number(planned.edge_microseconds_per_token),
            "who shares a message",
        ),
        ("memory of an edge, MiB", _number(planned.edge_memory_bytes / 2**20), "streams and connections"),
        ("emitters", _number(planned.emitters), "CPU of the events of a request"),
        ("Kafka partitions of a topic", _number(planned.partitions), "one for each emitter at least"),
        ("frames per second", _number(planned.frames_per_second), "full ones, or one a second of a kind"),
        ("store shards, members of the pipeline", _number(planned.stores), "frames, one insert each"),
        ("Redis or Valkey", _number(planned.lease_stores), "one thread decides; two need tenants divided"),
        ("PostgreSQL, queries per second", _number(planned.queries_per_second), "six of each router"),
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}"
