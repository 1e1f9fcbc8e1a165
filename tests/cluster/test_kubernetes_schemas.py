"""All that the chart renders is what Kubernetes of its oldest and newest version knows, to the letter."""

import kubernetes_validate
import pytest

from tests.cluster.chart import Document

pytestmark = [pytest.mark.system, pytest.mark.cluster]

OTHERS = {"Certificate", "PodMonitor", "ScaledObject", "TriggerAuthentication"}


@pytest.mark.parametrize("version", ["1.31", "1.37"])
def test_every_object_is_by_the_schema(example: list[Document], version: str) -> None:
    kinds = {document["kind"] for document in example}
    assert {"StatefulSet", "Deployment", "NetworkPolicy", "PodDisruptionBudget"} <= kinds
    for document in example:
        if document["kind"] not in OTHERS:
            kubernetes_validate.validate(document, version, strict=True)


def test_a_key_that_is_not_known_is_found(small: list[Document]) -> None:
    wrong = {**small[0], "specs": {}}
    with pytest.raises(kubernetes_validate.ValidationError, match="specs"):
        kubernetes_validate.validate(wrong, "1.37", strict=True)
