"""Versions of processes: one release and the next work together, and what is further behind is named."""

import pytest

from services.cli.doctor.builds import of_builds
from services.cli.doctor.facts import SeenBuild
from services.cli.doctor.finding import Level


def builds(**versions: str) -> list[SeenBuild]:
    return [SeenBuild(f"{name}.metrics_listen", name, version) for name, version in versions.items()]


@pytest.mark.parametrize("edge", ["0.2.0", "0.3.0", "0.3.7", "0.4.0.dev1"])
def test_a_release_and_the_next_work_together(edge: str) -> None:
    (found,) = of_builds(builds(edge=edge, router="0.3.0"), "0.3.0")
    assert (found.level, found.check) == (Level.OK, "versions")
    assert edge in found.sentence


def test_what_is_further_behind_is_named_in_the_order_in_which_it_is_upgraded() -> None:
    seen = builds(edge="0.2.9", generator="0.3.0", usage="0.1.0", router="0.4.0")
    found = of_builds(seen, "0.4.0")
    assert [finding.subject for finding in found] == ["usage.metrics_listen", "edge.metrics_listen"]
    assert {finding.level for finding in found} == {Level.WARN}
    assert "0.1.0" in found[0].sentence
    assert "0.4.0" in found[0].sentence
    assert "docs/upgrade.md" in found[0].next_step


def test_another_major_version_is_apart() -> None:
    (found,) = of_builds(builds(edge="1.0.0", router="0.9.0"), "1.0.0")
    assert (found.level, found.subject) == (Level.WARN, "router.metrics_listen")


def test_a_command_that_is_apart_from_the_processes_is_told_which_one_to_use() -> None:
    (found,) = of_builds(builds(edge="0.5.0", router="0.5.0"), "0.3.0")
    assert (found.level, found.subject) == (Level.WARN, "comptoir")
    assert "0.5.0" in found.next_step


@pytest.mark.parametrize("version", ["", "next", "3"])
def test_what_says_no_version_has_no_finding(version: str) -> None:
    assert of_builds(builds(edge=version), "0.3.0") == []
