"""Which kinds of statements pass for whom, and that no kind comes in as a part of another one."""

import pytest

from deploy.local.clickhouse.domain.errors import ACCESS_DENIED, READONLY, StoreError
from deploy.local.clickhouse.domain.parts import READER_KINDS, READER_PARTS, WRITER_KINDS
from deploy.local.clickhouse.domain.statement import check_tree
from deploy.local.clickhouse.domain.vocabulary import Vocabulary

WRITERS_ALONE = sorted(WRITER_KINDS - READER_KINDS)
# What changes users, files, other servers or the engine itself; and what a later engine may have.
NOBODYS = [
    "AttachQuery",
    "BackupQuery",
    "CreateFunctionQuery",
    "CreateNamedCollectionQuery",
    "CreateUserQuery",
    "DropAccessEntityQuery",
    "GrantQuery",
    "OfALaterEngine",
    "RestoreQuery",
    "SetRoleQuery",
]


def _refusal_of(tree: str, *, is_writer: bool) -> int | None:
    """The code with which a statement of this tree is refused, or None."""
    try:
        # As text the one that passes the looks at the text for each of these kinds.
        check_tree("SYSTEM FLUSH LOGS", tree, is_writer=is_writer, vocabulary=Vocabulary.of([], [], []))
    except StoreError as error:
        return error.code
    return None


def test_the_writer_may_run_whatever_a_reader_may() -> None:
    assert READER_KINDS < WRITER_KINDS
    for kind in sorted(READER_KINDS):
        assert _refusal_of(kind, is_writer=True) is None


def test_a_reader_may_run_each_kind_of_the_list_and_create_nothing_that_stays() -> None:
    refused = {kind for kind in READER_KINDS if _refusal_of(kind, is_writer=False) is not None}
    assert refused == {"CreateQuery"}
    assert _refusal_of("CreateQuery", is_writer=False) == READONLY


@pytest.mark.parametrize("kind", WRITERS_ALONE)
def test_what_changes_the_store_is_the_writers_alone(kind: str) -> None:
    assert _refusal_of(kind, is_writer=True) is None
    assert _refusal_of(kind, is_writer=False) == READONLY


@pytest.mark.parametrize("kind", [*WRITERS_ALONE, *NOBODYS, "Dictionary definition"])
@pytest.mark.parametrize("above", sorted(READER_KINDS - {"CreateQuery"}))
def test_what_a_reader_may_not_run_is_no_part_of_what_a_reader_runs(above: str, kind: str) -> None:
    assert _refusal_of(f"{above} (children 1)\n {kind} (children 1)", is_writer=False) == ACCESS_DENIED


@pytest.mark.parametrize("kind", [*NOBODYS, *sorted(READER_PARTS)])
@pytest.mark.parametrize("is_writer", [False, True])
def test_what_is_on_no_list_of_kinds_nobody_runs(kind: str, *, is_writer: bool) -> None:
    assert _refusal_of(f"{kind} (children 1)", is_writer=is_writer) == ACCESS_DENIED


def test_nothing_is_a_kind_of_statement_and_a_part_of_one_at_once() -> None:
    assert not READER_PARTS & WRITER_KINDS
    assert not (READER_PARTS | WRITER_KINDS) & {*NOBODYS, "Dictionary definition"}
