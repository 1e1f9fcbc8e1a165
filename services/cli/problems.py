"""What a person is told of input that breaks a rule: where, and which rule, and never what was written."""

from pydantic import ValidationError


def first_problem(error: ValidationError, whole: str) -> str:
    """Returns the first problem as `place: rule.`; `whole` names the input where the place is all of it."""
    problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(map(str, problem["loc"])) or whole
    return f"{place}: {problem['msg'].removeprefix('Value error, ')}."
