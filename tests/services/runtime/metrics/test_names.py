"""Metric names: one style, no double, none that carries a unit twice."""

import re
from typing import get_args

from services.runtime.metrics.names import MetricName


def test_names_are_dotted_lower_case_and_stand_once() -> None:
    names = get_args(MetricName)
    assert len(set(names)) == len(names)
    ours = r"comptoir(\.[a-z][a-z_]*){2}"
    conventional = r"(gen_ai\.(server|client)|http\.server)(\.[a-z][a-z_]*){1,2}"
    assert all(re.fullmatch(f"{ours}|{conventional}", name) for name in names)
