"""Lines over time from rows of the store: one point per step, and a gap where nothing happened."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

# More lines than these nobody tells apart; the models with the most requests are drawn.
MOST_MODELS: Final = 4


class Point(Protocol):
    """What one step has of one model."""

    @property
    def at_seconds(self) -> int:
        """The beginning of the step."""
        ...

    @property
    def model(self) -> str:
        """Its name."""
        ...


AnyPoint = TypeVar("AnyPoint", bound=Point)
Pick = Callable[[AnyPoint], float | None]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: `model` numbers its colour, and a line that `is_upper` is the further one of its two."""

    label: str
    model: int
    is_upper: bool
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn: lines over the same moments."""

    unit: str
    times: tuple[int, ...]
    lines: tuple[Line, ...]

    def as_json(self) -> dict[str, Any]:
        """Returns it as the page's script reads it."""
        lines = [
            {"label": line.label, "model": line.model, "upper": line.is_upper, "values": line.values}
            for line in self.lines
        ]
        return {"unit": self.unit, "times": self.times, "lines": lines}

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return all(value is None for line in self.lines for value in line.values)


def chart(
    unit: str,
    times: Sequence[int],
    models: Sequence[str],
    points: Sequence[AnyPoint],
    picks: Mapping[str, Pick[AnyPoint]],
) -> Chart:
    """Returns the lines of each of `models`; `picks` name what is drawn of a point, the upper one last."""
    found = {(point.model, point.at_seconds): point for point in points}
    lines = []
    for number, model in enumerate(models[:MOST_MODELS]):
        for place, (name, pick) in enumerate(picks.items()):
            values = tuple(
                pick(point) if (point := found.get((model, at))) is not None else None for at in times
            )
            label = f"{model} {name}".strip()
            lines.append(Line(label, number, is_upper=place > 0, values=values))
    return Chart(unit, tuple(times), tuple(lines))


def busiest(requests: Mapping[str, int]) -> tuple[str, ...]:
    """Returns the models by their requests, the busiest first, in an order that does not flicker."""
    return tuple(sorted(requests, key=lambda model: (-requests[model], model)))
