"""A chat template is told what the catalog permits, and nothing else."""

import pytest

from services.generator.domain.template import TemplateOptions, TemplateRules, Told, Value
from services.kernel.catalog import Model
from services.kernel.chat_templates import EffortMeaning
from services.kernel.errors import ComptoirError, Reason

RULES = TemplateRules.of(
    Model(
        number=1,
        name="tiny-eu",
        context_tokens=64,
        max_output_tokens=32,
        reasoning_format="qwen3",
        template_arguments={"enable_thinking": (True, False), "style": ("brief", 2)},
        reasoning_efforts={
            "none": EffortMeaning(template_arguments={"enable_thinking": False}),
            "low": EffortMeaning(template_arguments={"enable_thinking": True}, thinking_token_budget=8),
        },
    )
)


def told(effort: str = "", **arguments: Value) -> Told:
    return RULES.told(TemplateOptions(effort, arguments))


def test_what_is_permitted_is_told() -> None:
    assert told() == Told()
    assert told(enable_thinking=True, style=2) == Told({"enable_thinking": True, "style": 2})
    assert told("low") == Told({"enable_thinking": True}, 8)
    assert told("none") == Told({"enable_thinking": False})


def test_an_effort_with_a_budget_bounds_the_reasoning() -> None:
    assert RULES.bounded_efforts == {"low"}


def test_what_a_caller_says_prevails_over_what_the_effort_means() -> None:
    assert told("low", enable_thinking=False) == Told({"enable_thinking": False}, 8)


@pytest.mark.parametrize(
    ("effort", "arguments", "field"),
    [
        ("", {"geheim": True}, "template.arguments"),
        ("", {"style": "geheim"}, "template.arguments"),
        ("", {"enable_thinking": 1}, "template.arguments"),
        ("", {"style": True}, "template.arguments"),
        ("high", {}, "template.reasoning_effort"),
    ],
)
def test_anything_else_is_refused_by_the_name_of_the_field(
    effort: str, arguments: dict[str, Value], field: str
) -> None:
    with pytest.raises(ComptoirError) as refusal:
        told(effort, **arguments)
    assert (refusal.value.reason, refusal.value.field) == (Reason.PARAMETER_UNSUPPORTED, field)
    assert "geheim" not in str(refusal.value)


def test_a_model_without_rules_takes_none() -> None:
    with pytest.raises(ComptoirError):
        TemplateRules().told(TemplateOptions("none"))
    assert TemplateRules().told(TemplateOptions()) == Told()


@pytest.mark.parametrize(
    "entries",
    [
        {"template_arguments": {"messages": [True]}},
        {"template_arguments": {"Style": [True]}},
        {"reasoning_efforts": {"low": {}}},
        {"reasoning_format": "qwen3", "reasoning_efforts": {"low": {"template_arguments": {"tools": True}}}},
        {"reasoning_format": "qwen3", "reasoning_efforts": {"some": {}}},
    ],
)
def test_a_catalog_that_says_what_cannot_be_is_refused(entries: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - pydantic's words
        Model.model_validate(
            {"number": 1, "name": "a", "context_tokens": 64, "max_output_tokens": 32} | entries
        )
