"""What an answer must be, whatever the model would say."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from services.contract.json_schema import KEYWORDS
from services.kernel.errors import ComptoirError, Reason

FIELD: Final = "structure.json_schema"
_OF_LLGUIDANCE: Final = "%llguidance {}"
_OF_PATTERN: Final = "start: /"
_SLASH: Final = re.compile(r"(\\.)|(/)|(\n)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Structure:
    """The answer is JSON that fits `json_schema`, itself JSON, or fits `grammar`, in llguidance's Lark."""

    json_schema: str = ""
    grammar: str = ""

    @classmethod
    def of_texts(cls, texts: Sequence[str]) -> "Structure":
        """Returns what an answer must be that is one of `texts`."""
        quoted = (json.dumps(text, ensure_ascii=False) for text in texts)
        return cls(grammar=f"start: {' | '.join(quoted)}")

    @classmethod
    def of_pattern(cls, pattern: str) -> "Structure":
        """Returns what an answer must be that a regular expression matches as a whole.

        An anchor at either end says nothing more, and the engine has none.
        """
        inner = pattern.removeprefix("^")
        if re.search(r"(?<!\\)(?:\\\\)*\$\Z", inner):
            inner = inner[:-1]
        return cls(grammar=f"{_OF_PATTERN}{_SLASH.sub(_in_slashes, inner)}/")

    @property
    def lark(self) -> str:
        """What it is as a grammar in llguidance's Lark alone, whose first line every other reader refuses."""
        grammar = self.grammar
        if not grammar:
            schema = json.loads(self.json_schema) | {"x-guidance": {"whitespace_flexible": False}}
            grammar = f"start: %json {json.dumps(schema)}"
        return f"{_OF_LLGUIDANCE}\n{grammar}"

    @property
    def field(self) -> str:
        """What callers know it by: the field of their request."""
        if self.json_schema:
            return FIELD
        return "structure.pattern" if self.grammar.startswith(_OF_PATTERN) else "structure"


def refused(keyword: str = "", field: str = FIELD) -> ComptoirError:
    """Returns the refusal of a schema in `field`: PARAMETER_UNSUPPORTED with the keyword, if it is one."""
    named = f"{field}.{keyword}" if keyword in KEYWORDS else field
    return ComptoirError(Reason.PARAMETER_UNSUPPORTED, field=named)


def _in_slashes(found: re.Match[str]) -> str:
    """Returns what stands for a piece of an expression between slashes on one line."""
    escaped, slash, _ = found.groups()
    if escaped == "\\\n":
        return "\\n"
    return escaped or ("\\/" if slash else "\\n")
