"""How many tokens a request is expected to use, by what others of its tenant and model really used."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from services.kernel.identity import Identity

# Until something is known: what most tokenizers make of a byte, and an answer of usual length.
_TOKENS_PER_BYTE: Final = 0.25
_USUAL_OUTPUT_TOKENS: Final = 256
# What is assumed weighs as much as so many requests; a request weighs half after seventy further ones.
_ASSUMED_REQUESTS: Final = 4.0
_ASSUMED_BYTES: Final = 4096.0
_KEPT: Final = 0.99
# Requests of which it is not known yet what they used; those that never say it go as the oldest.
_MOST_OPEN: Final = 16_384
# Of tenants, models and sizes together; those of whom nothing was heard for longest are forgotten first.
_MOST_KNOWN: Final = 16_384


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that a request may use: of its prompt, and of each choice's answer; and whose it is."""

    model: int
    input_tokens: int
    output_tokens: int
    choices: int = 1
    tenant: int = 0


@dataclass(frozen=True, slots=True)
class Expected:
    """What a request is expected to use; of the output that of each choice."""

    input_tokens: int
    output_tokens: int
    choices: int = 1

    @property
    def tokens(self) -> int:
        """Returns all of them together."""
        return self.input_tokens + self.choices * self.output_tokens


@dataclass(slots=True)
class _Ratio:
    """Two sums in which what is old fades."""

    above: float
    below: float

    def add(self, above: float, below: float) -> None:
        self.above, self.below = self.above * _KEPT + above, self.below * _KEPT + below

    @property
    def value(self) -> float:
        return self.above / self.below


class ExpectedSizes:
    """Learns from each request that ended, and keeps a few numbers of each tenant and model.

    Prompts have so many tokens per byte of their bound. Answers have a mean length, of each model and power
    of two of what was asked: who asks for a word gets one, and who asks for the default of a library uses a
    tenth of it. Means and not bounds, because what is expected of all that run is added up. Of each tenant
    alone: one whose requests are odd changes nothing for others, and learns nothing of theirs.
    """

    def __init__(self) -> None:
        self._open: OrderedDict[Identity, Bounds] = OrderedDict()
        # Of prompts by tenant and model, of answers by what was asked too.
        self._ratios: OrderedDict[tuple[int, ...], _Ratio] = OrderedDict()

    @property
    def known(self) -> int:
        """Returns of how many tenants, models and sizes something is kept."""
        return len(self._ratios)

    def expected(self, bounds: Bounds) -> Expected:
        """Returns what a request of these bounds is expected to use: at least a token, at most its bounds."""
        tokens = round(bounds.input_tokens * self._input(bounds).value)
        output_tokens = min(bounds.output_tokens, round(self._output(bounds).value))
        return Expected(
            input_tokens=max(1, min(bounds.input_tokens, tokens)),
            output_tokens=max(min(1, bounds.output_tokens), output_tokens),
            choices=bounds.choices,
        )

    def sent(self, lease_id: Identity, bounds: Bounds) -> None:
        """Notes a request of which will be heard what it used."""
        self._open[lease_id] = bounds
        if len(self._open) > _MOST_OPEN:
            self._open.popitem(last=False)

    def forget(self, lease_id: Identity) -> None:
        """Notes that a request was not sent after all."""
        self._open.pop(lease_id, None)

    def used(self, lease_id: Identity, input_tokens: int, output_tokens: int) -> None:
        """Learns from a request that was answered; of one that nobody noted, nothing."""
        bounds = self._open.pop(lease_id, None)
        if bounds is None or not output_tokens:
            return
        inputs, outputs = self._input(bounds), self._output(bounds)
        inputs.add(input_tokens, max(1, bounds.input_tokens))
        outputs.add(output_tokens / bounds.choices, 1.0)
        self._ratios[_input_key(bounds)], self._ratios[_output_key(bounds)] = inputs, outputs
        self._ratios.move_to_end(_input_key(bounds))
        self._ratios.move_to_end(_output_key(bounds))
        while len(self._ratios) > _MOST_KNOWN:
            self._ratios.popitem(last=False)

    def _input(self, bounds: Bounds) -> _Ratio:
        known = self._ratios.get(_input_key(bounds))
        return known or _Ratio(_ASSUMED_BYTES * _TOKENS_PER_BYTE, _ASSUMED_BYTES)

    def _output(self, bounds: Bounds) -> _Ratio:
        known = self._ratios.get(_output_key(bounds))
        usual = min(2 ** bounds.output_tokens.bit_length(), _USUAL_OUTPUT_TOKENS)
        return known or _Ratio(_ASSUMED_REQUESTS * usual, _ASSUMED_REQUESTS)


def _input_key(bounds: Bounds) -> tuple[int, ...]:
    return bounds.tenant, bounds.model


def _output_key(bounds: Bounds) -> tuple[int, ...]:
    return bounds.tenant, bounds.model, bounds.output_tokens.bit_length()
