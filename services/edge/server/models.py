"""GET /v1/models and /v1/models/{id}: the models that a key may use."""

from typing import Final

from services.edge.domain.openai.answer_types import ModelAnswer, ModelListAnswer
from services.edge.domain.openai.models import model_json, model_list_json
from services.edge.domain.openai.operation import MODEL_STATUSES, NAMED_MODEL_STATUSES, Operation
from services.edge.domain.openai.paths import MODELS_PATH
from services.edge.domain.openai.retirement import retirement_headers
from services.edge.domain.ports import Model, Router
from services.edge.server.http.exchange import Exchange
from services.edge.server.http.requests import read_key
from services.edge.server.resource import Resource
from services.kernel.errors import ComptoirError, Reason

_LIST: Final = Operation(
    "listModels", "the models that the key may use", answer=ModelListAnswer, statuses=MODEL_STATUSES
)
_ONE: Final = Operation(
    "retrieveModel",
    "one of them; the name may contain slashes",
    answer=ModelAnswer,
    statuses=NAMED_MODEL_STATUSES,
)


class Models:
    """Both endpoints; a key's list comes from the router each time, so that a revoked key sees nothing."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self.resources = (
            Resource("GET", MODELS_PATH, self.serve_list, _LIST),
            Resource("GET", MODELS_PATH + "/{name:path}", self.serve_one, _ONE),
        )

    async def serve_list(self, exchange: Exchange) -> None:
        """Answers with all models of the key."""
        await exchange.answer(200, model_list_json(await self._models(exchange)))

    async def serve_one(self, exchange: Exchange) -> None:
        """Answers with one model; its name may contain slashes."""
        name = exchange.scope["path_params"]["name"]
        for model in await self._models(exchange):
            if model.name == name:
                headers = retirement_headers(model.model_name, model.retirement)
                await exchange.answer(200, model_json(model).encode(), headers)
                return
        raise ComptoirError(Reason.MODEL_NOT_FOUND)

    async def _models(self, exchange: Exchange) -> tuple[Model, ...]:
        event = exchange.event
        return await self._router.list_models(
            key=read_key(exchange), request_id=event.request_id, source=event.source
        )
