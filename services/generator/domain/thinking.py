"""The reasoning of one generation: what its answer may be because of it, and what each choice thinks."""

from collections.abc import Iterator, Sequence
from typing import Final

from services.generator.domain.delta import Delta, EngineFinish
from services.generator.domain.ports import Engine
from services.generator.domain.prompt import Chat, Prompt
from services.generator.domain.reasoning import (
    ReasoningFormat,
    ReasoningReader,
    Section,
    section_behind,
    structure_behind,
)
from services.generator.domain.sampling import Sampling
from services.generator.domain.structure import Structure
from services.generator.domain.template import TemplateRules
from services.kernel.errors import ComptoirError, Reason

# More than a template writes around an empty section, a token for each character.
_END_TOKENS: Final = 32


class Thinking:
    """Stands between the engine's deltas and what is said; without a section it changes nothing."""

    def __init__(self, form: ReasoningFormat | None, prompt: Prompt) -> None:
        self._form = form if isinstance(prompt, Chat) else None
        self._section = Section.CLOSED
        self._most_tokens: list[int] = []
        self._readers: dict[int, ReasoningReader] = {}

    @property
    def budget(self) -> int | None:
        """The most tokens of the section; None without a bound or without a section."""
        return min(self._most_tokens) if self._most_tokens and self._section is not Section.CLOSED else None

    @property
    def is_bounded(self) -> bool:
        """Whether the engine may have to end a section."""
        return self._form is not None and bool(self._most_tokens)

    @property
    def tokens(self) -> int:
        """The tokens of reasoning so far."""
        return sum(reader.tokens for reader in self._readers.values())

    def told(self, prompt: Prompt, sampling: Sampling, rules: TemplateRules) -> Prompt:
        """Returns the prompt with what its template is told, and takes the bounds of the section.

        Raises PARAMETER_UNSUPPORTED for what the model has not, a bound of reasoning above all.
        """
        budget = sampling.thinking_token_budget
        if budget is not None:
            if self._form is None:
                raise ComptoirError(Reason.PARAMETER_UNSUPPORTED, field="sampling.thinking_token_budget")
            self._most_tokens.append(budget)
        if not isinstance(prompt, Chat):
            return prompt
        told = rules.told(prompt.options)
        if told.thinking_token_budget is not None:
            self._most_tokens.append(told.thinking_token_budget)
        return prompt.told(told.arguments)

    async def begin(self, ids: Sequence[int], engine: Engine) -> None:
        """Looks at the end of the prompt, with its control tokens: it says whether a section is open."""
        if self._form is not None:
            end = await engine.detokenize(end_of(ids), spells_controls=True)
            self._section = section_behind(end, self._form)

    def structure(self, asked: Structure) -> Structure:
        """Returns what the answer must be: what is asked for, once the section has ended."""
        return asked if self._form is None else structure_behind(self._section, self._form, asked)

    def split(self, delta: Delta) -> Iterator[Delta]:
        """Yields what is new of the reasoning, then what is new of the rest, with the end of the choice."""
        if self._form is None or self._section is Section.CLOSED:
            yield delta
            return
        reader = self._readers.get(delta.index)
        if reader is None:
            reader = self._readers[delta.index] = ReasoningReader(self._form, self._section)
        is_cut = delta.finish is EngineFinish.LENGTH
        read = reader.read(delta.text, delta.output_tokens, is_last=delta.finish is not None, is_cut=is_cut)
        tokens, ids = delta.tokens, delta.token_ids
        if read.thought:
            yield Delta(reasoning=read.thought, index=delta.index, tokens=tokens, token_ids=ids)
            tokens, ids = (), ()
        if read.said or tokens or ids or delta.finish is not None:
            yield Delta(read.said, index=delta.index, tokens=tokens, token_ids=ids, finish=delta.finish)


def end_of(ids: Sequence[int]) -> Sequence[int]:
    """Returns the tokens at the end of a prompt that say where its answer begins."""
    return ids[-_END_TOKENS:]
