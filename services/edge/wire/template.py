"""What a model's chat template is told."""

from typing import Final

from comptoir.generator.v1 import generator_pb2

from services.edge.domain.generation import GenerationRequest

_EFFORTS: Final = {
    "": generator_pb2.REASONING_EFFORT_UNSPECIFIED,
    "none": generator_pb2.REASONING_EFFORT_NONE,
    "minimal": generator_pb2.REASONING_EFFORT_MINIMAL,
    "low": generator_pb2.REASONING_EFFORT_LOW,
    "medium": generator_pb2.REASONING_EFFORT_MEDIUM,
    "high": generator_pb2.REASONING_EFFORT_HIGH,
    "xhigh": generator_pb2.REASONING_EFFORT_XHIGH,
    "max": generator_pb2.REASONING_EFFORT_MAX,
}


def template_options(request: GenerationRequest) -> generator_pb2.TemplateOptions | None:
    """Returns what a request says of its model's reasoning and template; None for nothing."""
    if not (request.reasoning_effort or request.template_arguments):
        return None
    return generator_pb2.TemplateOptions(
        reasoning_effort=_EFFORTS[request.reasoning_effort],
        arguments={name: _value(value) for name, value in request.template_arguments.items()},
    )


def _value(value: bool | int | str) -> generator_pb2.TemplateValue:
    # True is a number too.
    if isinstance(value, bool):
        return generator_pb2.TemplateValue(flag=value)
    if isinstance(value, int):
        return generator_pb2.TemplateValue(number=value)
    return generator_pb2.TemplateValue(text=value)
