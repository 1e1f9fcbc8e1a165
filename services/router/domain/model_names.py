"""The names that models have for callers: whether a key may use one, and what is said of one that is none."""

from services.kernel.catalog import ModelName
from services.kernel.errors import ComptoirError, Reason
from services.router.domain.tenancy import Key


def may_use(key: Key, name: ModelName) -> bool:
    """Tells whether the key may use the model by that name."""
    return any(key.may_use(number) for number in name.numbers)


def unknown_model(name: str) -> ComptoirError:
    """Returns the refusal of a name that stands for no model."""
    if name:
        return ComptoirError(Reason.MODEL_NOT_FOUND)
    # No name, and a region without a default model: the caller has to give one.
    return ComptoirError(Reason.REQUEST_INVALID, field="model")
