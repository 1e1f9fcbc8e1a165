"""Reads the sentence grammars of the corpus and expands their templates.

A grammar file holds `@slot NAME` sections (one value per line) and
`@topic NAME [WEIGHT]` sections (`> ` lines are questions, `< ` lines are
answers).  In a template:

    {drink}         a value of the slot, the same one all through one exchange
    {drink#2}       another value of the same slot, differing from the first
    {country.1}     first half of a value written `left :: right` (`.2`: second)
    {^drink}        the value with its first letter in upper case
    {line*3-5}      three to five different values, with spaces between them
    {line-3-5}      the same as a list with dashes
    {line=3-5}      the same as a numbered list
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from pathlib import Path

_SLOT = re.compile(r"\{(\^?)(\w+)(?:#(\d+))?(?:\.([12]))?(?:([*=-])(\d+)-(\d+))?\}")
_MAX_DEPTH = 8


@dataclass(frozen=True)
class Topic:
    """Questions that mean about the same, and answers that fit each of them."""

    name: str
    weight: int
    questions: tuple[str, ...]
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Grammar:
    """All slots and topics of one language."""

    language: str
    slots: dict[str, tuple[str, ...]]
    topics: tuple[Topic, ...]

    def topic(self, name: str) -> Topic:
        """Return the topic of this name."""
        return next(topic for topic in self.topics if topic.name == name)


@dataclass
class Expansion:
    """Expands templates of one exchange, remembering the values drawn so far."""

    grammar: Grammar
    rng: random.Random
    bound: dict[tuple[str, str], str] = field(default_factory=dict)

    def text(self, template: str, depth: int = 0) -> str:
        """Return the template with every slot filled."""
        if depth > _MAX_DEPTH:
            raise ValueError(f"slots nest too deeply in {template!r}")
        filled = _SLOT.sub(self._fill, template)
        if filled == template:
            return template.replace("\\n", "\n")
        return self.text(filled, depth + 1)

    def _fill(self, match: re.Match[str]) -> str:
        upper, name, number, half, style, low, high = match.groups()
        if style:
            return self._several(name, style, self.rng.randint(int(low), int(high)))
        value = self._value(name, number or "")
        if half:
            value = value.split(" :: ")[int(half) - 1]
        if upper:
            value = value if value.startswith("{") else value[:1].upper() + value[1:]
        return value

    def _value(self, name: str, number: str) -> str:
        key = (name, number)
        if key not in self.bound:
            used = {value for (other, _), value in self.bound.items() if other == name}
            values = self._values(name)
            fresh = [value for value in values if value not in used]
            self.bound[key] = self.rng.choice(fresh or list(values))
        return self.bound[key]

    def _several(self, name: str, style: str, count: int) -> str:
        values = self._values(name)
        drawn = self.rng.sample(values, min(count, len(values)))
        if style == "-":
            return "\n".join(f"- {value}" for value in drawn)
        if style == "=":
            return "\n".join(f"{n}. {value}" for n, value in enumerate(drawn, start=1))
        return " ".join(drawn)

    def _values(self, name: str) -> tuple[str, ...]:
        try:
            return self.grammar.slots[name]
        except KeyError:
            raise ValueError(f"{self.grammar.language}: no slot {name!r}") from None


def _sections(text: str) -> list[tuple[list[str], list[str]]]:
    """Split a grammar file into (header words, lines) pairs."""
    sections: list[tuple[list[str], list[str]]] = []
    for line in (raw.strip() for raw in text.splitlines()):
        if line.startswith("@"):
            sections.append((line[1:].split(), []))
        elif line and not line.startswith("//"):
            if not sections:
                raise ValueError(f"line before the first section: {line!r}")
            sections[-1][1].append(line)
    return sections


def _topic(header: list[str], lines: list[str]) -> Topic:
    name, weight = [*header[1:], "1"][:2]
    return Topic(
        name=name,
        weight=int(weight),
        questions=tuple(line[2:] for line in lines if line.startswith("> ")),
        answers=tuple(line[2:] for line in lines if line.startswith("< ")),
    )


def parse_grammar(language: str, text: str) -> Grammar:
    """Return the grammar written in `text`."""
    slots: dict[str, tuple[str, ...]] = {}
    topics: list[Topic] = []
    for header, lines in _sections(text):
        if header[0] == "slot":
            slots[header[1]] = tuple(lines)
        elif header[0] == "topic":
            topics.append(_topic(header, lines))
        else:
            raise ValueError(f"unknown section {header[0]!r}")
    return Grammar(language, slots, tuple(topics))


def load_grammars(folder: Path) -> dict[str, Grammar]:
    """Return the grammars of a folder, by language code."""
    return {
        path.stem: parse_grammar(path.stem, path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.txt"))
    }
