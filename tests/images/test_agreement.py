"""Image and chart say the same: commands, ports, users, probes, folders."""

import re

import pytest

from deploy.images.build import TARGETS
from tests.cluster.chart import Document, container_of, pod_of, workloads
from tests.images.opened import Opened

GENERATOR = re.compile(r"generator-.*")

pytestmark = [pytest.mark.system, pytest.mark.alone, pytest.mark.images, pytest.mark.timeout(3_600)]


def container(release: list[Document], target: str) -> tuple[Document, Document] | None:
    """The container that runs an image, and its pod; those of replicas are alike."""
    name = GENERATOR.sub("generator-cpu", target)
    for workload in workloads(release):
        one = container_of(workload)
        if one["image"].rpartition("/")[2].startswith(f"comptoir-{name}:"):
            return one, pod_of(workload)
    return None


def test_a_pod_runs_what_the_image_runs_by_itself(image: Opened, release: list[Document]) -> None:
    found = container(release, image.target)
    if found is None:
        assert image.target == "cli"
        assert image.config["Entrypoint"] == ["comptoir"]
        return
    one, pod = found
    assert image.config["Entrypoint"] == one["command"]
    assert image.config["Cmd"] == one["args"]
    exposed = {port.removesuffix("/tcp") for port in image.config["ExposedPorts"]}
    # And that of metrics, which this release does not show, and of the scaler.
    assert {str(port["containerPort"]) for port in one["ports"]} <= exposed
    assert exposed - {str(port["containerPort"]) for port in one["ports"]} <= {"9464", "8412"}
    context = pod["securityContext"]
    assert image.config["User"] == f"{context['runAsUser']}:{context['runAsGroup']}"


def test_the_health_check_is_the_chart_s_probe(image: Opened, release: list[Document]) -> None:
    found = container(release, image.target)
    if found is None:
        assert image.config["Healthcheck"]["Test"] == ["NONE"]
        return
    kind, *command = image.config["Healthcheck"]["Test"]
    assert kind == "CMD"
    probe = found[0]["readinessProbe"]
    if image.target == "edge":
        assert probe["httpGet"]["path"] == "/readyz"
        assert command[-1] == "--http"
        return
    asked = probe["exec"]["command"]
    # It waits for longer than a kubelet does.
    own = command[: command.index("--seconds")] + command[command.index("--seconds") + 2 :]
    assert own == asked


def test_what_a_pod_sets_is_what_the_image_sets_too(image: Opened, release: list[Document]) -> None:
    found = container(release, image.target)
    own = dict(one.split("=", 1) for one in image.config["Env"])
    for variable in found[0].get("env", ()) if found else ():
        if variable["name"] in own:
            assert variable["value"] == own[variable["name"]]
    data = [mount for mount in found[0]["volumeMounts"] if mount["name"] == "data"] if found else []
    for mount in data:
        assert (image.root / mount["mountPath"].lstrip("/")).is_dir()


def test_every_image_of_the_chart_is_a_target(release: list[Document]) -> None:
    asked = {container_of(it)["image"].rpartition("/")[2].partition(":")[0] for it in workloads(release)}
    assert asked <= {f"comptoir-{target}" for target in TARGETS}
