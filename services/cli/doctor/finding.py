"""What a check says of one thing: fine, worth a look, or broken, and then what to do about it; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad it is; requests fail, or soon will, or records are not what is promised, where it is FAIL."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence about one thing, without anything secret; `next_step` is empty where it is fine."""

    level: Level
    check: str
    subject: str
    sentence: str
    next_step: str = ""


def ok(check: str, subject: str, sentence: str) -> Finding:
    """Returns the finding of what is fine."""
    return Finding(Level.OK, check, subject, sentence)


def warn(check: str, subject: str, sentence: str, next_step: str) -> Finding:
    """Returns the finding of what works and should not stay so."""
    return Finding(Level.WARN, check, subject, sentence, next_step)


def fail(check: str, subject: str, sentence: str, next_step: str) -> Finding:
    """Returns the finding of what does not work."""
    return Finding(Level.FAIL, check, subject, sentence, next_step)


def counts_of(findings: Iterable[Finding]) -> dict[str, int]:
    """Returns how many findings there are of each level, by its name."""
    levels = [finding.level for finding in findings]
    return {level.value: levels.count(level) for level in Level}
