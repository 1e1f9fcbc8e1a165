"""The attributes that several metrics have, with what they can be."""

from typing import Final

from services.contract.events import Kind
from services.kernel.readiness import Unready
from services.kernel.reasons import Reason
from services.runtime.metrics.metric import Attribute

# Of OpenTelemetry's conventions for generative AI.
MODEL: Final = Attribute(
    "gen_ai.request.model",
    source="`name` of a model in `catalog.models`, never what a caller wrote",
    most=256,
)
OPERATION: Final = Attribute("gen_ai.operation.name", ("chat", "embeddings"))
PROVIDER: Final = Attribute("gen_ai.provider.name", ("comptoir",))
TOKEN_TYPE: Final = Attribute("gen_ai.token.type", ("input", "output"))
GENERATION: Final = (OPERATION, PROVIDER, MODEL)

REASON: Final = Attribute("reason", tuple(reason.name for reason in Reason))
# The last two are why a router, or an edge behind one, can place nothing.
UNREADY: Final = Attribute(
    "reason", (*(reason.name for reason in Unready), "NO_REPLICA", "ROUTER_UNREACHABLE")
)
KIND: Final = Attribute("kind", tuple(kind.label for kind in Kind))
REPLICA: Final = Attribute("comptoir.replica", source="number of a replica", most=4096)
ERROR_TYPE: Final = Attribute("error.type", source="name of an exception's class", most=64)
