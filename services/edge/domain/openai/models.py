"""The JSON of the models that a key may use."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.edge.domain.openai.answers import quoted
from services.edge.domain.ports import Model


def model_json(model: Model) -> str:
    """Returns one `model` object: OpenAI's fields, and the sizes by the names that clients look for.

    vLLM says `max_model_len`, Groq `context_window` and `max_completion_tokens`, OpenRouter and Together
    `context_length`, LiteLLM `max_output_tokens`. `root` is the model's own name, as for vLLM's adapters.
    """
    context, output = model.context_tokens, model.max_output_tokens
    return (
        f'{{"id":{quoted(model.name)},"object":"model","created":{model.created_at_seconds},'
        f'"owned_by":"comptoir","root":{quoted(model.model_name)},"parent":null,"max_model_len":{context},'
        f'"context_window":{context},"context_length":{context},"max_output_tokens":{output},'
        f'"max_completion_tokens":{output},"shutdown_date":{_shutdown_date(model)},'
        f'"task":"{model.task}"}}'
    )


def model_list_json(models: Sequence[Model]) -> bytes:
    """Returns the `list` object of models."""
    return f'{{"object":"list","data":[{",".join(map(model_json, models))}]}}'.encode()


def _shutdown_date(model: Model) -> str:
    if model.retirement is None or not model.retirement.sunset_at_seconds:
        return "null"
    return f'"{datetime.fromtimestamp(model.retirement.sunset_at_seconds, UTC).date().isoformat()}"'
