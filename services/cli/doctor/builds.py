"""Whether processes that run are of releases that work together, which are one and the next; pure."""

import re
from collections.abc import Iterable
from typing import Final

from services.cli.doctor.data import VERSIONS
from services.cli.doctor.facts import SeenBuild
from services.cli.doctor.finding import Finding, ok, warn

# From a release to the next one: docs/upgrade.md, which has this order too.
_APART: Final = 1
_ORDER: Final = ("usage", "emitter", "generator", "router", "edge")
_HERE: Final = "comptoir"
_VERSION: Final = re.compile(r"\d{1,6}\.\d{1,6}(\..*)?")


def of_builds(seen: Iterable[SeenBuild], installed: str) -> list[Finding]:
    """Returns the findings about the versions of processes, beside each other and that of this command."""
    found = [build for build in seen if _VERSION.fullmatch(build.version)]
    if not found:
        return []
    newest = max(found, key=lambda build: _number(build.version))
    behind = [build for build in found if _are_apart(build.version, newest.version)]
    if behind:
        return [_of_behind(build, newest) for build in sorted(behind, key=_turn)]
    if _VERSION.fullmatch(installed) and _are_apart(installed, newest.version):
        sentence = f"comptoir is {installed} here, and {newest.process} at {newest.key} is {newest.version}."
        return [warn(VERSIONS, _HERE, sentence, f"run this with comptoir {newest.version}")]
    versions = {build.version for build in found}
    said = ", ".join(sorted(versions, key=_number))
    return [ok(VERSIONS, "processes", f"{len(found)} processes say that they are {said}.")]


def _of_behind(build: SeenBuild, newest: SeenBuild) -> Finding:
    sentence = (
        f"It is {build.version}, and {newest.process} is {newest.version}: more than one release apart."
    )
    step = "upgrade it, release by release and in the order of docs/upgrade.md: usage first, edges last"
    return warn(VERSIONS, build.key, sentence, step)


def _are_apart(one: str, other: str) -> bool:
    (major, minor), (other_major, other_minor) = _number(one), _number(other)
    return major != other_major or abs(minor - other_minor) > _APART


def _number(version: str) -> tuple[int, int]:
    major, minor, *_ = version.split(".")
    return int(major), int(minor)


def _turn(build: SeenBuild) -> int:
    return _ORDER.index(build.process) if build.process in _ORDER else len(_ORDER)
