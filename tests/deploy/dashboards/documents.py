"""The committed dashboards as tests read them."""

import json
from typing import Any, Final

import pytest

from deploy.dashboards.generate import FOLDER

VARIABLES: Final = ["prometheus", "clickhouse", "database", "region", "model"]


def _panels() -> list[Any]:
    return [
        pytest.param(panel, id=f"{path.stem}: {panel['title']}")
        for path in sorted(FOLDER.glob("*.json"))
        for panel in json.loads(path.read_text())["panels"]
        if panel["type"] != "row"
    ]


PANELS: Final = _panels()


def queries_of(panel: dict[str, Any]) -> list[str]:
    """What a panel asks Prometheus."""
    return [target["expr"] for target in panel["targets"] if "expr" in target]


def statements_of(panel: dict[str, Any]) -> list[str]:
    """What a panel asks the store."""
    return [target["rawSql"] for target in panel["targets"] if "rawSql" in target]
