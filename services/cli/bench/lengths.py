"""How many tokens prompts and answers have: fixed, uniform, normal or lognormal, from a seeded generator."""

import math
import random
from dataclasses import dataclass
from typing import Final

from services.cli.bench.errors import BenchError
from services.cli.bench.quantities import number

MOST_TOKENS: Final = 1_000_000
_FORMS: Final = {
    "fixed": ("N",),
    "uniform": ("LEAST", "MOST"),
    "normal": ("MEAN", "DEVIATION"),
    "lognormal": ("MEDIAN", "SIGMA"),
}
_KNOWN: Final = "N, uniform:LEAST,MOST, normal:MEAN,DEVIATION or lognormal:MEDIAN,SIGMA"


@dataclass(frozen=True, slots=True)
class Lengths:
    """A distribution of whole numbers of tokens, one at least; normal and lognormal may be bounded."""

    kind: str
    first: float
    second: float = 0.0
    least: int = 1
    most: int = MOST_TOKENS

    def draw(self, rng: random.Random) -> int:
        """Returns one length. What falls outside the bounds is drawn to the nearest, as nobody sends it."""
        return min(max(round(self._drawn(rng)), self.least), self.most)

    def _drawn(self, rng: random.Random) -> float:
        if self.kind == "fixed":
            return self.first
        if self.kind == "uniform":
            return rng.randint(round(self.first), round(self.second))
        if self.kind == "normal":
            return rng.gauss(self.first, self.second)
        # An exponent that no float can hold is beyond every bound.
        return math.exp(min(rng.gauss(math.log(self.first), self.second), 700.0))


def parse_lengths(text: str, option: str) -> Lengths:
    """Returns the distribution that the text names; BenchError says what could stand there.

    Normal and lognormal may be followed by the least and the most: `lognormal:200,0.8,16,2000`.
    """
    kind, _, rest = text.strip().rpartition(":")
    kind = kind or "fixed"
    words = rest.split(",")
    is_bounded = kind in {"normal", "lognormal"} and len(words) == len(_FORMS[kind]) + 2
    if kind not in _FORMS or not (is_bounded or len(words) == len(_FORMS[kind])):
        raise BenchError(f"{option} is {_KNOWN}; the last two may be followed by ,LEAST,MOST.")
    numbers = [number(word, option, least=0.0) for word in words[:2]]
    least, most = (_tokens(words[2], option), _tokens(words[3], option)) if is_bounded else (1, MOST_TOKENS)
    return _checked(Lengths(kind, numbers[0], numbers[-1], least, most), option)


def _tokens(word: str, option: str) -> int:
    value = number(word, option)
    if value != int(value) or value > MOST_TOKENS:
        raise BenchError(f"{option} counts whole tokens, {MOST_TOKENS} at most.")
    return int(value)


def _checked(lengths: Lengths, option: str) -> Lengths:
    whole = [lengths.first] if lengths.kind == "fixed" else []
    whole += [lengths.first, lengths.second] if lengths.kind == "uniform" else []
    for value in whole:
        _tokens(f"{value:.17g}", option)
    if lengths.least > lengths.most or (lengths.kind == "uniform" and lengths.first > lengths.second):
        raise BenchError(f"{option}: the least is more than the most.")
    return lengths
