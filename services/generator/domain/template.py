"""What a model's chat template is told beside the chat: what callers may say, and what an effort means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.kernel.catalog import Model
from services.kernel.chat_templates import EffortMeaning
from services.kernel.errors import ComptoirError, Reason

Value = bool | int | str

EFFORT_FIELD: Final = "template.reasoning_effort"
ARGUMENTS_FIELD: Final = "template.arguments"


@dataclass(frozen=True, slots=True)
class TemplateOptions:
    """An effort of reasoning by its name, empty where the model decides, and arguments by theirs."""

    effort: str = ""
    arguments: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """All that the template is told, and the most tokens of reasoning that the effort permits."""

    arguments: Mapping[str, Value] = field(default_factory=dict)
    thinking_token_budget: int | None = None


@dataclass(frozen=True, slots=True)
class TemplateRules:
    """What the catalog permits of a model: values of each argument, and the meaning of each effort."""

    arguments: Mapping[str, Sequence[Value]] = field(default_factory=dict)
    efforts: Mapping[str, EffortMeaning] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Model) -> "TemplateRules":
        """Returns the rules of a catalog's model."""
        return cls(
            model.template_arguments, {str(name): one for name, one in model.reasoning_efforts.items()}
        )

    @property
    def bounded_efforts(self) -> frozenset[str]:
        """Which of the efforts an engine must be able to end a section for."""
        bounded = (name for name, one in self.efforts.items() if one.thinking_token_budget is not None)
        return frozenset(bounded)

    def told(self, options: TemplateOptions) -> Told:
        """Returns what the template is told; an argument of the caller's comes before what the effort means.

        Raises PARAMETER_UNSUPPORTED for an effort, an argument or a value that the model has not.
        """
        for name, value in options.arguments.items():
            if not any(type(value) is type(one) and value == one for one in self.arguments.get(name, ())):
                raise ComptoirError(Reason.PARAMETER_UNSUPPORTED, field=ARGUMENTS_FIELD)
        if not options.effort:
            return Told(options.arguments)
        meaning = self.efforts.get(options.effort)
        if meaning is None:
            raise ComptoirError(Reason.PARAMETER_UNSUPPORTED, field=EFFORT_FIELD)
        return Told({**meaning.template_arguments, **options.arguments}, meaning.thinking_token_budget)
