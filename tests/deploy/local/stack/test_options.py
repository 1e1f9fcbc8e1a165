"""Addresses: neighbouring ports of loopback, unless parts elsewhere are named."""

from deploy.local.stack.options import (
    CONSOLE,
    DEFAULT_MODEL,
    EMBEDDER,
    METERED,
    MOST_ROUTERS,
    PORTS,
    Addresses,
    ports_of,
    router_name,
)


def test_the_parts_listen_on_neighbouring_ports_of_loopback() -> None:
    addresses = Addresses(9000)
    listening = [
        addresses.edge,
        addresses.router,
        addresses.generator,
        addresses.embedder,
        addresses.local_clickhouse,
        addresses.local_kafka,
        f"127.0.0.1:{addresses.kafka_controller_port}",
        addresses.usage,
        *(f"127.0.0.1:{addresses.metrics_port(process)}" for process in (*METERED, EMBEDDER)),
        addresses.console.removeprefix("http://"),
    ]
    assert listening == [f"127.0.0.1:{9000 + offset}" for offset in range(PORTS)]
    assert addresses.base_url == "http://127.0.0.1:9000/v1"
    assert addresses.clickhouse_url == "http://127.0.0.1:9004"
    assert addresses.kafka == "127.0.0.1:9005"
    assert addresses.metrics()["usage"] == "http://127.0.0.1:9012/metrics"
    assert CONSOLE not in addresses.metrics()
    assert addresses.metrics([CONSOLE])[CONSOLE] == "http://127.0.0.1:9021/metrics"


def test_each_further_generator_has_two_ports_behind_those_of_all_stacks() -> None:
    addresses = Addresses(9000)
    names = ("generator-2", "generator-3")
    taken = [int(addresses.generator_at(name).rpartition(":")[2]) for name in names]
    taken += [addresses.metrics_port(name) for name in names]
    console = addresses.metrics_port(CONSOLE)
    assert [*range(9000, 9000 + PORTS), console, *sorted(taken)] == ports_of(9000, 3)
    assert ports_of(9000, 1) == [*range(9000, 9000 + PORTS), console]
    assert addresses.generator_at("generator") == addresses.generator
    assert addresses.generator_at(EMBEDDER) == addresses.embedder
    assert addresses.metrics(names)["generator-2"] == "http://127.0.0.1:9023/metrics"


def test_each_further_router_has_two_ports_between_those_of_all_stacks_and_of_generators() -> None:
    addresses = Addresses(9000)
    names = [router_name(number) for number in range(1, MOST_ROUTERS + 1)]
    taken = [int(addresses.router_at(number).rpartition(":")[2]) for number in range(2, MOST_ROUTERS + 1)]
    taken += [addresses.metrics_port(name) for name in names[1:]]
    others = [addresses.metrics_port(CONSOLE), 9022, 9023]
    assert [*range(9000, 9000 + PORTS), *sorted(taken), *others] == ports_of(9000, 2, MOST_ROUTERS)
    assert len(set(ports_of(9000, 2, MOST_ROUTERS))) == len(ports_of(9000, 2, MOST_ROUTERS))
    assert addresses.router_at(1) == addresses.router
    assert addresses.metrics(names[1:])["router-2"] == "http://127.0.0.1:9016/metrics"


def test_the_parts_of_others_win() -> None:
    addresses = Addresses(9000, "kafka:9092", "https://store")
    assert (addresses.kafka, addresses.clickhouse_url) == ("kafka:9092", "https://store")


def test_the_model_in_the_repository_is_the_default() -> None:
    assert (DEFAULT_MODEL / "config.json").is_file()
