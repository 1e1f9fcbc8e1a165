"""What a model thinks before it answers: how it is written, and how it is told apart from the answer."""

import json
import re
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from services.generator.domain.marks import begun
from services.generator.domain.structure import Structure

# White space before the mark of a section; a model that writes more of it has begun its answer.
_MOST_SPACE: Final = 8
_LINE_ENDS: Final = "\r\n"


@dataclass(frozen=True, slots=True)
class ReasoningFormat:
    """The marks around what is thought.

    `is_assumed` where the first may lack before what is thought, `is_told` where a model thinks only if its
    template has written the first: what an answer is held to begins at once otherwise.
    """

    begin: str
    end: str
    is_assumed: bool = False
    is_told: bool = False


_BEGIN: Final = "<think>"
_END: Final = "</think>"
# By the names of the catalog, which are those of vLLM's parsers.
FORMATS: Final = MappingProxyType(
    {
        "qwen3": ReasoningFormat(_BEGIN, _END),
        "deepseek_r1": ReasoningFormat(_BEGIN, _END, is_assumed=True),
        "deepseek_v3": ReasoningFormat(_BEGIN, _END, is_told=True),
    }
)


class Section(Enum):
    """Where an answer begins: behind the section, before one that may come or that comes, or within."""

    CLOSED = auto()
    POSSIBLE = auto()
    ASSUMED = auto()
    OPEN = auto()


_UNDECIDED: Final = (Section.POSSIBLE, Section.ASSUMED)


def section_behind(prompt_end: str, form: ReasoningFormat) -> Section:
    """Returns where the answer to a prompt with this end begins.

    A template that leaves reasoning out writes an empty section, and one that asks for it may open one.
    """
    said = prompt_end.rstrip()
    if said.endswith(form.begin):
        return Section.OPEN
    if said.endswith(form.end) or form.is_told:
        return Section.CLOSED
    return Section.ASSUMED if form.is_assumed else Section.POSSIBLE


def structure_behind(section: Section, form: ReasoningFormat, structure: Structure) -> Structure:
    """Returns what an answer must be that is held to a structure once the section has ended."""
    if section is Section.CLOSED:
        return structure
    if structure.grammar:
        answer = structure.grammar.replace("start:", "answer:", 1)
    else:
        schema = json.loads(structure.json_schema)
        own = json.dumps(schema | {"x-guidance": {"whitespace_flexible": False}})
        answer = f"answer: %json {own}"
    end = re.escape(form.end).replace("/", "\\/")
    start = "thought gap answer"
    if section is Section.POSSIBLE:
        start = f"answer | {json.dumps(form.begin)} {start}"
    thought = f"thought[lazy]: /(.|\\n)*{end}/"
    return Structure(grammar="\n".join([f"start: {start}", thought, "gap: /\\n{0,2}/", answer]))


@dataclass(frozen=True, slots=True)
class Read:
    """What is new of a choice: what was thought, then what is said."""

    thought: str = ""
    said: str = ""


class ReasoningReader:
    """Reads the text of one choice as it comes, each character a bounded number of times.

    What may be the beginning of a mark is held until it is known; an answer that was cut within a mark says
    nothing of it. Line ends behind a mark are left out.
    """

    def __init__(self, form: ReasoningFormat, section: Section) -> None:
        self._form = form
        self._section = section
        self._held = ""
        # Nothing of what stands behind a mark was told yet.
        self._is_bare = section in (Section.OPEN, Section.ASSUMED)
        self._undecided_tokens = 0
        # Of the tokens that were read, those of the section, with its marks.
        self.tokens = 0

    def read(self, text: str, tokens: int = 0, *, is_last: bool = False, is_cut: bool = False) -> Read:
        """Returns what is new, of so many tokens; with the last text what was held too, unless it was cut."""
        if self._section is Section.CLOSED:
            return Read(said=self._told(text))
        self._held += text
        self._undecided_tokens += tokens
        if self._section in _UNDECIDED:
            self._section = self._begun(is_ended=is_last and not is_cut)
        if self._section in _UNDECIDED:
            return Read()
        if self._section is Section.CLOSED:
            said, self._held = self._held, ""
            return Read(said=said)
        self.tokens += self._undecided_tokens
        self._undecided_tokens = 0
        return self._read_thought(is_ended=is_last and not is_cut)

    def _begun(self, *, is_ended: bool) -> Section:
        """Returns where the answer is, as far as what is held says."""
        begin = self._held.lstrip()
        if begin.startswith(self._form.begin):
            self._held = begin.removeprefix(self._form.begin)
            self._is_bare = True
            return Section.OPEN
        space = len(self._held) - len(begin)
        may_begin = self._form.begin.startswith(begin) and space <= _MOST_SPACE
        if may_begin and not is_ended:
            return self._section
        return Section.OPEN if self._section is Section.ASSUMED else Section.CLOSED

    def _read_thought(self, *, is_ended: bool) -> Read:
        thought, mark, rest = self._held.partition(self._form.end)
        if mark:
            thought = self._told(thought)
            self._section, self._held, self._is_bare = Section.CLOSED, "", True
            return Read(thought, self._told(rest))
        kept = 0 if is_ended else begun(self._held, self._form.end)
        end = len(thought) - kept
        self._held = thought[end:]
        return Read(self._told(thought[:end]))

    def _told(self, text: str) -> str:
        if self._is_bare:
            text = text.lstrip(_LINE_ENDS)
            self._is_bare = not text
        return text
