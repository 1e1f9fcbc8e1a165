"""What the chart asks of KEDA, cert-manager and the Prometheus operator is what their definitions take."""

import copy
from typing import Any

import pytest

from tests.cluster.chart import PRODUCTION, Document, Helm, of_kind
from tests.cluster.custom_resources import CustomResources, definitions, strict

pytestmark = [pytest.mark.system, pytest.mark.cluster]

KINDS = ("Certificate", "PodMonitor", "ScaledObject", "TriggerAuthentication")


@pytest.fixture(scope="module")
def resources() -> CustomResources:
    return CustomResources(definitions())


def test_every_object_of_theirs_is_taken(resources: CustomResources, example: list[Document]) -> None:
    faults = {it["metadata"]["name"]: resources.faults(it) for it in of_kind(example, *KINDS)}
    assert {name: found for name, found in faults.items() if found} == {}


def test_the_production_example_has_each_of_them(production: list[Document]) -> None:
    assert {it["kind"] for it in production} >= set(KINDS)


@pytest.mark.parametrize(
    ("kind", "change", "fault"),
    [
        (
            "ScaledObject",
            {"maxReplicaCount": "many"},
            "spec.maxReplicaCount: 'many' is not of type 'integer'",
        ),
        ("ScaledObject", {"triggers": [{"type": "external-push"}]}, "'metadata' is a required property"),
        ("ScaledObject", {"minReplicas": 0}, "('minReplicas' was unexpected)"),
        ("Certificate", {"issuerRef": {}}, "'name' is a required property"),
        ("Certificate", {"usages": ["everything"]}, "'everything' is not one of"),
        ("PodMonitor", {"podMetricsEndpoint": []}, "('podMetricsEndpoint' was unexpected)"),
    ],
)
def test_a_wrong_one_is_refused(
    resources: CustomResources, production: list[Document], kind: str, change: dict[str, Any], fault: str
) -> None:
    wrong = copy.deepcopy(of_kind(production, kind)[0])
    wrong["spec"] |= change
    assert any(fault in found for found in resources.faults(wrong)), resources.faults(wrong)


def test_a_pool_may_say_each_rule_of_scaling(helm: Helm, resources: CustomResources) -> None:
    rules = '{"first_token_seconds": 1, "down_seconds": 60, "idle_seconds": 900}'
    documents = helm.template(PRODUCTION, "--set-json", f"pools.small.autoscaling.rules={rules}")
    (scaled,) = of_kind(documents, "ScaledObject")
    assert resources.faults(scaled) == []


def test_what_a_definition_leaves_open_stays_open() -> None:
    one = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert strict(one)["additionalProperties"] is False
    assert "additionalProperties" not in strict({**one, "x-kubernetes-preserve-unknown-fields": True})
    assert strict({"x-kubernetes-int-or-string": True})["type"] == ["integer", "string"]
    assert strict({"type": "object"}) == {"type": "object"}
