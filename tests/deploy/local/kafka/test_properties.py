import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from deploy.local.kafka.properties import LOG_LAYOUT, BrokerPlan, render, server_properties

PLAN = BrokerPlan("127.0.0.1", 8405, 8406, Path("/data/log"), retention_hours=144, roll_hours=12)


def _read(text: str) -> dict[str, str]:
    """Java's own reading: one `key=value` a line, `\\uXXXX` for UTF-16 units, `\\x` for x."""
    out = {}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        units = re.sub(
            r"\\u([0-9a-f]{4})|\\(.)",
            lambda match: chr(int(match[1], 16)) if match[1] else match[2],
            value,
        )
        out[key] = units.encode("utf-16", "surrogatepass").decode("utf-16")
    return out


@given(st.text())
def test_any_value_reads_back_as_it_was(value: str) -> None:
    text = render({"log.dirs": value})

    assert text.isascii()
    assert _read(text) == {"log.dirs": value}


def test_every_listener_is_on_loopback() -> None:
    properties = _read(server_properties(PLAN))

    assert properties["listeners"] == "BROKER://127.0.0.1:8405,CONTROLLER://127.0.0.1:8406"
    assert properties["advertised.listeners"] == "BROKER://127.0.0.1:8405"
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:8406"


def test_an_ipv6_host_is_bracketed() -> None:
    plan = BrokerPlan("::1", 8405, 8406, Path("/data/log"), retention_hours=1, roll_hours=1)

    assert _read(server_properties(plan))["advertised.listeners"] == "BROKER://[::1]:8405"


def test_retention_counts_from_the_brokers_own_clock_and_segments_roll_often() -> None:
    properties = _read(server_properties(PLAN))

    assert properties["log.retention.ms"] == "518400000"
    assert properties["log.roll.ms"] == "43200000"
    assert properties["log.message.timestamp.type"] == "LogAppendTime"


def test_topics_are_never_created_by_accident() -> None:
    assert _read(server_properties(PLAN))["auto.create.topics.enable"] == "false"


def test_the_log_layout_is_one_line_of_json_without_a_stack_trace() -> None:
    pattern = next(line for line in LOG_LAYOUT.splitlines() if ".pattern=" in line).partition("=")[2]

    assert pattern.startswith("{")
    assert pattern.endswith("}%n")
    assert "alwaysWriteExceptions=false" in LOG_LAYOUT
