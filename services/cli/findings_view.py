"""What `comptoir doctor` prints: each finding below its check, and what to do about it."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from rich.console import Console

from services.cli.doctor.finding import Finding, Level, counts_of

_STYLES: Final = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}
_ORDER: Final = (Level.FAIL, Level.WARN, Level.OK)


def content_of(findings: Sequence[Finding], versions: dict[str, str]) -> dict[str, Any]:
    """Returns the object that `comptoir doctor --json` prints."""
    return {**told(findings), "versions": versions}


def told(findings: Sequence[Finding]) -> dict[str, Any]:
    """Returns findings as an object, and how many there are of each level."""
    return {
        "counts": counts_of(findings),
        "findings": [
            {
                "level": finding.level.value,
                "check": finding.check,
                "subject": finding.subject,
                "sentence": finding.sentence,
                "next_step": finding.next_step,
            }
            for finding in findings
        ],
    }


def print_findings(console: Console, findings: Sequence[Finding]) -> None:
    """Prints findings by check, what fails last, where the eye is when the command ends."""
    by_check = sorted(findings, key=lambda finding: finding.check)
    for check, group in groupby(by_check, key=lambda finding: finding.check):
        console.print(check, style="bold", markup=False)
        for finding in sorted(group, key=lambda one: -_ORDER.index(one.level)):
            console.print(f"  {finding.level.value:<5}", style=_STYLES[finding.level], end="", markup=False)
            console.print(f"{finding.subject}: {finding.sentence}", markup=False)
            if finding.next_step:
                console.print(f"       → {finding.next_step}", markup=False)
    counts = counts_of(findings)
    said = (
        f"{len(findings)} findings: {counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} failed."
    )
    console.print(said, markup=False)
