"""Who may reach whom by a set of NetworkPolicies: their rules, evaluated without a network.

A connection needs a way out of its source and a way into its target; a pod that no policy of a direction
selects has every way in that direction.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Rule: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """A pod by its namespace and labels, or, without a namespace, an address outside the cluster."""

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = ""


class Policies:
    """The policies of a cluster; a namespace has its name as its one label, as Kubernetes gives it."""

    def __init__(self, documents: Sequence[Mapping[str, Any]]) -> None:
        self._policies = documents

    def may_reach(self, source: Place, target: Place, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection is let out here and in there."""
        return self._lets(source, "Egress", target, port, protocol) and self._lets(
            target, "Ingress", source, port, protocol
        )

    def _lets(self, of: Place, direction: str, other: Place, port: int, protocol: str) -> bool:
        key, peers = ("egress", "to") if direction == "Egress" else ("ingress", "from")
        selecting = [it["spec"] for it in self._policies if _selects(it, of, direction)]
        if not selecting:
            return True
        rules = [rule for spec in selecting for rule in spec.get(key) or ()]
        return any(_has_peer(rule, peers, other) and _has_port(rule, port, protocol) for rule in rules)


def _selects(policy: Mapping[str, Any], place: Place, direction: str) -> bool:
    spec = policy["spec"]
    return (
        place.namespace == policy["metadata"]["namespace"]
        and direction in spec["policyTypes"]
        and _matches(spec["podSelector"], place.labels)
    )


def _matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}, "expressions are not evaluated here"
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def _has_peer(rule: Rule, key: str, other: Place) -> bool:
    peers = rule.get(key)
    # Without any, everybody is one.
    return not peers or any(_is_peer(peer, other) for peer in peers)


def _is_peer(peer: Rule, other: Place) -> bool:
    if "ipBlock" in peer:
        if not other.address:
            return False
        address = ipaddress.ip_address(other.address)
        block = peer["ipBlock"]
        excepted = any(address in ipaddress.ip_network(it) for it in block.get("except", ()))
        return address in ipaddress.ip_network(block["cidr"]) and not excepted
    # One without a namespaceSelector would mean the policy's own namespace.
    assert "namespaceSelector" in peer, "a peer says its namespace"
    names = {"kubernetes.io/metadata.name": other.namespace}
    return (
        bool(other.namespace)
        and _matches(peer["namespaceSelector"], names)
        and _matches(peer.get("podSelector", {}), other.labels)
    )


def _has_port(rule: Rule, port: int, protocol: str) -> bool:
    ports = rule.get("ports")
    return not ports or any(it["port"] == port and it.get("protocol", "TCP") == protocol for it in ports)
