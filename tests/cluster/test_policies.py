"""The evaluation of policies agrees with what Kubernetes says of them."""

from typing import Any

from tests.cluster.policies import Place, Policies

A, B = Place("one", {"app": "a"}), Place("one", {"app": "b"})
ELSEWHERE = Place("two", {"app": "a"})
OUTSIDE = Place(address="10.1.2.3")


def policy(**spec: Any) -> dict[str, Any]:
    selector = {"matchLabels": {"app": "b"}}
    return {"metadata": {"namespace": "one"}, "spec": {"podSelector": selector, **spec}}


def test_without_a_policy_everybody_reaches_everybody() -> None:
    assert Policies([]).may_reach(OUTSIDE, B, 1)


def test_a_pod_that_is_selected_is_closed_but_for_its_rules() -> None:
    closed = Policies([policy(policyTypes=["Ingress", "Egress"], ingress=None)])
    assert not closed.may_reach(A, B, 80)
    assert not closed.may_reach(B, OUTSIDE, 80)
    assert closed.may_reach(A, ELSEWHERE, 80)


def test_a_rule_without_peers_or_ports_is_for_all_of_them() -> None:
    assert Policies([policy(policyTypes=["Ingress"], ingress=[{}])]).may_reach(OUTSIDE, B, 80)
    assert Policies([policy(policyTypes=["Ingress"], ingress=[{"from": []}])]).may_reach(OUTSIDE, B, 80)


def test_a_peer_is_both_its_namespace_and_its_pods() -> None:
    peer = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "one"}},
        "podSelector": {"matchLabels": {"app": "a"}},
    }
    ways = Policies([policy(policyTypes=["Ingress"], ingress=[{"from": [peer], "ports": [{"port": 80}]}])])
    assert ways.may_reach(A, B, 80)
    assert not ways.may_reach(A, B, 81)
    assert not ways.may_reach(A, B, 80, "UDP")
    assert not ways.may_reach(ELSEWHERE, B, 80)
    assert not ways.may_reach(OUTSIDE, B, 80)


def test_a_block_is_of_addresses_outside_and_without_its_exceptions() -> None:
    block = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}
    ways = Policies([policy(policyTypes=["Egress"], egress=[{"to": [block]}])])
    assert ways.may_reach(B, Place(address="10.2.0.1"), 443)
    assert not ways.may_reach(B, OUTSIDE, 443)
    assert not ways.may_reach(B, A, 443)
