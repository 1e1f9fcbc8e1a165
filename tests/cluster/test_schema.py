"""The schema of the values lets every setting be set that is not the chart's own, and explains each value."""

import json
import re
from typing import Any, Final

import yaml

from docs import chart_schema
from docs.generate import SETTINGS
from tests.cluster.chart import CHART

# Values whose parts may be left out of values.yaml: what they are by default is no key.
PARTIAL: Final = {".catalog", ".image.digests", ".pool.autoscaling.rules"}


def schema() -> Any:
    return json.loads((CHART / "values.schema.json").read_text())


def test_a_setting_is_there_with_its_meaning_and_what_the_chart_says_itself_is_not() -> None:
    edge = schema()["properties"]["edge"]["properties"]["settings"]
    assert edge["properties"]["max_connections"]["description"].startswith("most open connections")
    assert not {"listen", "router", "region", "metrics_listen"} & set(edge["properties"])
    assert edge["additionalProperties"] is False


def test_whom_a_scaled_pool_serves_stands_in_its_settings_alone() -> None:
    scaled = schema()["properties"]["pool"]["properties"]["autoscaling"]["properties"]["rules"]
    assert "tenant" not in scaled["properties"]
    assert "tenant" in schema()["$defs"]["generatorSettings"]["properties"]


def test_a_new_setting_is_written_into_the_schema_by_the_command_that_writes_the_pages() -> None:
    stale = schema()
    del stale["$defs"]["generatorSettings"]["properties"]["max_requests"]
    assert json.loads(chart_schema.refreshed(json.dumps(stale), SETTINGS)) == schema()


def test_every_value_that_has_a_default_is_in_the_schema_and_the_other_way_round() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def walk(value: Any, place: Any, name: str) -> None:
        # Settings have no defaults here but those of the chart.
        if not isinstance(value, dict) or "properties" not in place or name in PARTIAL or "settings" in name:
            return
        assert set(value) == set(place["properties"]) - {"global"}, name
        for key, below in value.items():
            walk(below, place["properties"][key], f"{name}.{key}")

    walk(values, schema(), "")


def test_every_part_of_the_values_has_a_comment() -> None:
    lines = (CHART / "values.yaml").read_text().splitlines()
    silent = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r"\w+:", line) and not before.lstrip().startswith("#")
    ]
    # Those whose first value has one of its own.
    assert silent == [
        "image:",
        "nodes:",
        "certificates:",
        "kafka:",
        "clickhouse:",
        "keda:",
        "telemetry:",
        "metrics:",
    ]
