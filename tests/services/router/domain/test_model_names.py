"""A name that stands for no model is not found, and no name is a field that is missing."""

from services.kernel.errors import Reason
from services.router.domain.model_names import unknown_model


def test_a_name_that_stands_for_nothing_is_not_found_and_no_name_is_asked_for() -> None:
    assert unknown_model("geheim").reason is Reason.MODEL_NOT_FOUND
    refusal = unknown_model("")
    assert (refusal.reason, refusal.field) == (Reason.REQUEST_INVALID, "model")
