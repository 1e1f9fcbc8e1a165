"""What OpenAI's SDK knows is read whole from its sources."""

from openai.types.chat import completion_create_params

from docs.openai_sdk import Route, parameters, routes
from tests.services.edge.domain.openai.known_fields import fields_of_params

KNOWN = routes()


def test_every_kind_of_call_is_found() -> None:
    expected = {
        Route("/chat/completions", "POST"),
        Route("/chat/completions", "GET"),
        Route("/models/{model}", "DELETE"),
        Route("/responses/{response_id}/cancel", "POST"),
        # Their lists are pages, and one of them is asked for with a body.
        Route("/files", "GET"),
        Route("/vector_stores/{vector_store_id}/search", "POST"),
        # Behind a query of its own, and in a class of an own name.
        Route("/responses/compact", "POST"),
        Route("/audio/speech", "POST"),
    }
    assert expected <= KNOWN
    assert not [route for route in KNOWN if not route.path.startswith("/") or "?" in route.path]


def names(path: str, verb: str = "POST") -> set[str]:
    return {field.name for field in parameters(Route(path, verb))}


def test_the_parameters_are_those_of_the_sdks_types() -> None:
    assert names("/chat/completions") == fields_of_params(
        completion_create_params.CompletionCreateParamsNonStreaming,
        completion_create_params.CompletionCreateParamsStreaming,
    )
    assert {"input", "model", "encoding_format"} <= names("/embeddings")
    assert {"input", "previous_response_id"} <= names("/responses")
    assert names("/models", "GET") == set()
