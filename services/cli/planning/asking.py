"""Turns the options of `comptoir plan --model` into a plan, or into one sentence that says why not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from deploy.local.stack.errors import StackError
from services.cli.adapters.gpu_catalog import load_gpus
from services.cli.adapters.model_folder import find_model
from services.cli.planning.asked import Asked
from services.cli.planning.replica_plan import Planner, ReplicaPlan, plan_on, plan_on_cheapest
from services.memory import configuration
from services.memory.errors import UnknownModelError

# Where the name of an option is not that of its field.
_OPTIONS: Final = {"reserve_gibibytes": "reserve-gib"}


def option_of(field: str) -> str:
    """Returns the name of the option of a field, without dashes before it."""
    return _OPTIONS.get(field, field.replace("_", "-"))


def asked_of(options: Mapping[str, object]) -> Asked:
    """Returns what was asked; StackError names the option that is out of its bounds."""
    try:
        return Asked.model_validate(options)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        raise StackError(f"--{option_of(str(first['loc'][0]))}: {first['msg']}.") from None


def plan_replica(
    model: str, gpu: str, asked: Asked, *, gpus: Path | None, prices: Path | None
) -> ReplicaPlan:
    """Returns the plan on the GPU of a name, or on the cheapest that holds the load."""
    found = find_model(model)
    catalog = load_gpus(gpus, prices)
    try:
        shape = configuration.read(found.config, dtype=asked.dtype)
        planner = Planner(found.name, shape, asked, catalog, found.weight_bytes(shape.weight_bytes))
    except UnknownModelError as error:
        raise StackError(f"{found.name}: {error}.") from None
    if planner.context > shape.context_tokens:
        raise StackError(
            f"--context {planner.context} is more than the {shape.context_tokens:,} that {found.name} has."
        )
    kind = catalog.by_name(gpu)
    if gpu and kind is None:
        known = ", ".join(one.name for one in catalog.gpus)
        raise StackError(f"--gpu: {gpu} is not in the catalog; it has {known}. --gpus FILE brings your own.")
    try:
        return plan_on_cheapest(planner) if kind is None else plan_on(planner, kind)
    except ValueError as error:
        raise StackError(f"{error}.") from None
