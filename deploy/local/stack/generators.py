"""Which generators a stack runs: so many replicas of each model, each with its number and its name; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from deploy.local.stack.errors import StackError
from deploy.local.stack.options import DEFAULT_MODEL, EMBEDDER, MOST_GENERATORS, StackOptions

# The key of the list in the file of `--config`; no process reads it.
GENERATORS: Final = "generators"


class GeneratorOrder(BaseModel):
    """An entry of the list `generators`: a model, how many replicas of it, and settings of these alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1)
    replicas: int = Field(default=1, ge=1, le=MOST_GENERATORS)
    settings: dict[str, Any] = Field(default={})


@dataclass(frozen=True, slots=True)
class PlannedGenerator:
    """One generator: its replica's number, the name of its process, its model, and settings of its own."""

    number: int
    name: str
    model: str
    settings: dict[str, Any]
    is_first: bool = False


_ORDERS: Final = TypeAdapter(list[GeneratorOrder])


def planned_generators(options: StackOptions) -> list[PlannedGenerator]:
    """Returns all of them by number: those of the first model, of the others, and that of vectors.

    StackError where the list of the file is none, or there are too many.
    """
    orders = [order for order in _orders(options) for _ in range(order.replicas)]
    if len(orders) > MOST_GENERATORS:
        raise StackError(
            f"A stack runs at most {MOST_GENERATORS} generators, and {len(orders)} were asked for."
        )
    planned = [
        PlannedGenerator(number, name_of(number), order.model, order.settings, is_first=number == 1)
        for number, order in enumerate(orders, start=1)
    ]
    if options.embedding_model:
        planned.append(PlannedGenerator(len(planned) + 1, EMBEDDER, options.embedding_model, {}))
    return planned


def generative_models(options: StackOptions) -> list[str]:
    """Returns the models that answer, each once, the first first."""
    return list(dict.fromkeys(order.model for order in _orders(options)))


def name_of(number: int) -> str:
    """Returns the name of the process of a replica that answers."""
    return "generator" if number == 1 else f"generator-{number}"


def _orders(options: StackOptions) -> Sequence[GeneratorOrder]:
    if GENERATORS not in options.overrides:
        models = dict.fromkeys((options.model, *options.further_models))
        return [GeneratorOrder.model_construct(model=model, replicas=options.replicas) for model in models]
    if options.replicas > 1 or options.further_models or options.model != str(DEFAULT_MODEL):
        raise StackError(f"--config has a list of {GENERATORS}: leave --model and --replicas out.")
    try:
        orders = _ORDERS.validate_python(options.overrides[GENERATORS])
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        place = f"{GENERATORS}.{where}" if where else GENERATORS
        raise StackError(
            f"--config: {place} is wrong. Each entry has a model, and may have replicas (1 to "
            f"{MOST_GENERATORS}) and settings, which are laid over the section generator."
        ) from None
    if not orders:
        raise StackError(f"--config: {GENERATORS} is empty; leave it out, or name a model.")
    return orders
