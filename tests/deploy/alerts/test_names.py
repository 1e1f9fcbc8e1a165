"""Every name and label of a rule is in the registry of metrics, or recorded by another rule."""

import pytest

from tests.deploy.queries import REPOSITORY, RULE_FILES, faults, known_series, rules
from tests.deploy.runbooks import commands_of

RULES = [
    pytest.param(rule, id=rule.get("record", rule.get("alert")))
    for file in RULE_FILES
    for rule in rules(file)
]
SOME = {"a_total": frozenset({"region", "kind"}), "b": frozenset({"region"})}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_asks_for_nothing_that_does_not_exist(rule: dict[str, str]) -> None:
    assert not faults(rule["expr"], known_series())


def test_a_page_for_an_alert_asks_for_nothing_that_does_not_exist() -> None:
    queries, _ = commands_of((REPOSITORY / "docs" / "runbooks").glob("*.md"))
    assert len(queries) > 20
    assert {query: faults(query, known_series()) for query in queries} == {query: [] for query in queries}


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_makes_no_series_or_alert_without_its_region(rule: dict[str, str]) -> None:
    assert "region" in rule["expr"] or "instance:" in rule.get("record", "") or "up{" in rule["expr"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sum by (region) (rate(a_totl[5m]))", ["no series a_totl", "a_totl has no label region"]),
        ('a_total{knd="x"}', ["a_total has no label knd"]),
        ("max by (region, kind) (b)", ["b has no label kind"]),
        ("a_total / on (kind) b", ["b has no label kind"]),
        ("sum by (region, kind) (rate(a_total[5m])) > 0 unless on (region) b > 3", []),
    ],
)
def test_a_misspelt_name_or_label_is_found(query: str, said: list[str]) -> None:
    assert faults(query, SOME) == said
