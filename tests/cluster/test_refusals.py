"""What cannot work is refused before anything is installed, with a sentence that says what to do."""

import json
from typing import Any, Final

import pytest

from tests.cluster.chart import CHART, PRODUCTION, SMALL, Helm, RefusedError

pytestmark = [pytest.mark.system, pytest.mark.cluster]

# Of a console: what else it has is in order.
IN_ORDER: Final = {
    "enabled": True,
    "hosts": ["c.example"],
    "signOn": {"proxy": {"addresses": ["10.0.0.0/8"]}},
}
CLOSED: Final = 'networkPolicies.consoleFrom=[{"ipBlock":{"cidr":"10.9.0.0/24"}}]'


def console(*more: str, **changed: Any) -> tuple[str, ...]:
    return (f"console={json.dumps(IN_ORDER | changed)}", CLOSED, *more)


def refusal(helm: Helm, *sets: str, values: str = str(SMALL)) -> str:
    arguments = [part for one in sets for part in ("--set-json", one)]
    with pytest.raises(RefusedError) as refused:
        helm.run("template", "comptoir", CHART, "--values", values, *arguments)
    return str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("router.replicas=2", "several routers share one PostgreSQL and one Redis or Valkey"),
        ("nodes.regions=[]", "name the values of the node label topology.kubernetes.io/region"),
        ("catalog.models=[]", "name each model with its number, name, context_tokens"),
        ('kafka.tlsSecret=""', "set kafka.tlsSecret, or kafka.caSecret with kafka.sasl.emitterUser"),
        ('kafka.sasl.emitterUser="e"', "kafka.sasl has one user of two"),
        ('kafka.caSecret="ca"', "leave the second out"),
        ('clickhouse.url=""', "name the store as https://host:8443"),
        ("edge.emitter=1", "edge.emitter is 1, and there are 1: numbers begin with 0"),
        ('pools.tiny.model="other"', "pools.tiny.model is not in catalog.models: it has tiny-eu"),
        ("pools.tiny.replicas=3", "pools.tiny.replicas is 3, above its maxReplicas of 2"),
        ("router.signingKeyNumber=2", "generators would refuse every ticket"),
        ('router.database.host="db"', "router.database.caSecret is empty"),
        ("networkPolicies.kafkaTo=[]", "networkPolicies.kafkaTo is empty, so nobody would reach the brokers"),
        ('telemetry.otlpEndpoint="c:4317"', "networkPolicies.telemetryTo is empty"),
        ('certificates.clients=["router"]', "certificates.clients has router, which is a process"),
        ('certificates.clients=["keda-operator"]', "has keda-operator, which is a process"),
        ('certificates.clients=["pool-tiny"]', "certificates.clients has pool-tiny, which is a process"),
        ('certificates.clients=["console"]', "certificates.clients has console, which is a process"),
        ('certificates.clients=["edge-http"]', "certificates.clients has edge-http, which is a process"),
        *(
            (f"metrics.port={port}", f"metrics.port is {port}, on which {process} takes its calls")
            for port, process in ((8443, "edge"), (8412, "router"), (8402, "generator"), (8403, "emitter"))
        ),
        ("metrics.port=8414", "on which console takes its calls: choose another, such as 9464"),
        ("metrics.port=8407", "on which usage takes its calls: choose another, such as 9464"),
        ('certificates.renewBefore="2160h"', "renewBefore is 2160h, and one is good for 2160h"),
        ('certificates.duration="24h"', "let renewBefore be a third of duration"),
        ('certificates.from="secrets"', "edge.tlsSecret is empty, and certificates.from is secrets"),
        ('pools.tiny.namespace="acme"', "let certificates.issuer be a ClusterIssuer"),
        (
            'pools.more={"model":"tiny-eu","firstReplica":2,"modelFiles":{"claim":"m"}}',
            "pools.more and pools.tiny both have replica number 2",
        ),
        (
            'pools.more={"model":"tiny-eu","firstReplica":9,"modelFiles":{"claim":"m"},"autoscaling":{"enabled":true}}',
            "the router says how many replicas a model needs, not which pool",
        ),
    ],
)
def test_values_that_do_not_go_together_are_refused(helm: Helm, wrong: str, sentence: str) -> None:
    assert sentence in refusal(helm, wrong)


@pytest.mark.parametrize(
    ("sets", "sentence"),
    [
        (console(hosts=[]), "console.hosts is empty"),
        (console(signOn={}), "console.signOn lets in everybody"),
        (console(signOn={"proxy": {"addresses": ["0.0.0.0/0"]}}), "has 0.0.0.0/0, which is everybody"),
        (console(signOn={"proxy": {"addresses": ["::/0"]}}), "has ::/0, which is everybody"),
        (console(signOn={"proxy": {"addresses": ["::/00"]}}), "has ::/00, which is everybody"),
        (console("networkPolicies.enabled=false"), "any pod there could say who it is"),
        (console("networkPolicies.consoleFrom=[]"), "nobody would reach the console"),
        (
            console('certificates.from="secrets"', 'edge.tlsSecret="own"'),
            "console.tlsSecret is empty, and certificates.from is secrets",
        ),
        (console('edge.tlsSecret="own"', "edge.hosts=[]"), "by which the console knows the edge"),
    ],
)
def test_a_console_that_would_be_open_or_that_nobody_reaches_is_refused(
    helm: Helm, sets: tuple[str, ...], sentence: str
) -> None:
    assert sentence in refusal(helm, *sets)


def test_a_pool_without_a_model_to_read_is_refused_and_a_simulated_one_needs_none(helm: Helm) -> None:
    nothing = 'pools.tiny.modelFiles={"claim":"","image":""}'
    assert "nothing is fetched at run time" in refusal(helm, nothing)
    helm.template(SMALL, "--set-json", nothing, "--set", "pools.tiny.settings.engine=simulated")
    both = 'pools.tiny.modelFiles={"claim":"a","image":"b"}'
    assert "has both claim and image" in refusal(helm, both)


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ('region="Paris"', "/region"),
        ("router.replicas=0", "/router/replicas"),
        ('edge.replicas="many"', "/edge/replicas"),
        ("edge.replica=2", "/edge"),
        ('edge.service.type="NodePort"', "/edge/service/type"),
        ('clickhouse.url="http://plain:8123"', "/clickhouse/url"),
        ('clickhouse.url="https://writer:password@store:8443"', "/clickhouse/url"),
        ('router.leaseStore.address="user:password@leases:6379"', "/router/leaseStore/address"),
        ('telemetry.otlpEndpoint="https://u:p@collector:4317"', "/telemetry/otlpEndpoint"),
        ('kafka.bootstrap="kafka"', "/kafka/bootstrap"),
        ("edge.resources.limits=null", "/edge/resources"),
        ('edge.settings.listen={"port":1}', "/edge/settings"),
        ("router.settings.hold_second=1", "/router/settings"),
        ('pools.tiny.settings.router={"address":"elsewhere:1"}', "/pools/tiny/settings"),
        ('pools.A_B={"model":"tiny-eu","firstReplica":50}', "/pools"),
        ('console.signOn.proxy.addresses=["proxy"]', "/console/signOn/proxy/addresses/0"),
        ('console.settings.secret_file="/x"', "/console/settings"),
        ("console.settings.is_open_to_this_machine=true", "/console/settings"),
        ('image.digests.edge="latest"', "/image/digests/edge"),
        ('networkPolicies.kafkaTo=[{"cidr":"10.0.0.0/8"}]', "/networkPolicies/kafkaTo/0"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_its_place(helm: Helm, wrong: str, place: str) -> None:
    assert f"'{place}'" in refusal(helm, wrong)


def test_the_chart_itself_is_without_fault(helm: Helm) -> None:
    for values in (SMALL, PRODUCTION):
        said = helm.run("lint", CHART, "--strict", "--values", values)
        assert "1 chart(s) linted, 0 chart(s) failed" in said


def test_without_values_it_says_what_it_needs_first(helm: Helm) -> None:
    with pytest.raises(RefusedError, match=r"nodes\.regions is empty"):
        helm.run("template", "comptoir", CHART)
