"""What clients saw inside one window of time, from answers that may reach over its edges."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, with its times in seconds of one clock.

    `first` is when its first text came, or None where it had none; `failed` is why it is none, or empty.
    """

    sent: float
    first: float | None
    ended: float
    tokens: int
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a window held: failures by their reason, times to the first text of requests sent inside it."""

    seconds: float
    output_tokens: float
    requests: int
    failures: dict[str, int]
    ttft_seconds: list[float]
    answer_seconds: list[float]


def seen_between(opened: float, closed: float, answers: Sequence[Answer]) -> Seen:
    """Counts an answer's tokens by the share of its text that came inside the window.

    Without this a load of few and long answers would be measured with the emptier seconds of its end.
    """
    good = [answer for answer in answers if not answer.failed]
    ended = [answer for answer in good if opened <= answer.ended < closed]
    sent = [answer for answer in good if opened <= answer.sent < closed]
    return Seen(
        seconds=closed - opened,
        output_tokens=sum(answer.tokens * _share_inside(answer, opened, closed) for answer in good),
        requests=len(ended),
        failures=dict(Counter(it.failed for it in answers if it.failed and it.ended >= opened)),
        ttft_seconds=[answer.first - answer.sent for answer in sent if answer.first is not None],
        answer_seconds=[answer.ended - answer.sent for answer in ended],
    )


def _share_inside(answer: Answer, opened: float, closed: float) -> float:
    begun = answer.ended if answer.first is None else answer.first
    length = answer.ended - begun
    if length <= 0:
        return 1.0 if opened <= answer.ended < closed else 0.0
    return max(0.0, min(answer.ended, closed) - max(begun, opened)) / length
