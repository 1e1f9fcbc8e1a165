"""A state is a reason and numbers, by the names of the schema."""

import pytest
from comptoir.readiness.v1 import readiness_pb2
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from services.kernel.readiness import READY, STARTING, Figure, Unready, unready


@pytest.mark.parametrize(
    ("ours", "theirs", "prefix"),
    [
        (Unready, readiness_pb2.UnreadyReason, "UNREADY_REASON_"),
        (Figure, readiness_pb2.FigureName, "FIGURE_NAME_"),
    ],
)
def test_the_names_and_numbers_are_the_schemas(
    ours: type[Unready] | type[Figure], theirs: EnumTypeWrapper, prefix: str
) -> None:
    assert {prefix + member.name: member.value for member in ours} == dict(theirs.items())


def test_other_numbers_are_the_same_state_and_another_reason_is_not() -> None:
    late = unready(Unready.BEHIND, {Figure.BEHIND_SECONDS: 61})
    assert late.is_same_state(unready(Unready.BEHIND, {Figure.BEHIND_SECONDS: 62}))
    assert not late.is_same_state(STARTING)
    assert not late.is_same_state(READY)
