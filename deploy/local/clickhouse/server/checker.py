"""The statement check with a memory: a text that passed once need not be parsed again."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from deploy.local.clickhouse.domain.errors import QUERY_IS_TOO_LARGE, SYNTAX_ERROR, StoreError
from deploy.local.clickhouse.domain.ports import Engine
from deploy.local.clickhouse.domain.statement import (
    LARGEST_GROWTH,
    Statement,
    check_parameters,
    check_text,
    check_tree,
    names_by_parameter,
    with_flat_names,
)

_LARGEST_REMEMBERED: Final = 8192


class StatementChecker:
    """Turns the text of a client into a statement that may run. Thread-safe."""

    def __init__(self, engine: Engine, *, max_query_bytes: int, max_remembered: int = 1024) -> None:
        self._engine = engine
        self._max_query_bytes = max_query_bytes
        self._max_remembered = max_remembered
        self._lock = threading.Lock()
        self._passed: OrderedDict[tuple[str, bool], Statement] = OrderedDict()

    def known(self, text: str, *, is_writer: bool) -> Statement | None:
        """Returns the statement of a text that passed before, without asking the engine."""
        with self._lock:
            passed = self._passed.get((text, is_writer))
            if passed is not None:
                self._passed.move_to_end((text, is_writer))
        return passed

    def check(self, text: str, parameters: Mapping[str, str], *, is_writer: bool) -> Statement:
        """Returns the statement of `text`; StoreError if it is not exactly one or may not run."""
        if len(text.encode()) > self._max_query_bytes:
            raise StoreError.refused(
                QUERY_IS_TOO_LARGE, f"The query is larger than max_query_bytes = {self._max_query_bytes}."
            )
        if not text.strip():
            raise StoreError.refused(SYNTAX_ERROR, "Empty query.")
        canonical = self._engine.canonical(text, is_writer=is_writer)
        # Deep nesting is printed indented: the canonical text can be far longer than what was sent.
        if len(canonical) > LARGEST_GROWTH * self._max_query_bytes:
            raise StoreError.refused(
                QUERY_IS_TOO_LARGE,
                f"The query, formatted by the engine, is larger than {LARGEST_GROWTH} times"
                f" max_query_bytes = {self._max_query_bytes}.",
            )
        vocabulary = self._engine.vocabulary
        check_text(canonical, is_writer=is_writer, vocabulary=vocabulary)
        if names_by_parameter(canonical):
            check_parameters(parameters.values(), is_writer=is_writer, vocabulary=vocabulary)
        tree = self._engine.tree(with_flat_names(canonical), parameters, is_writer=is_writer)
        passed = check_tree(canonical, tree, is_writer=is_writer, vocabulary=vocabulary)
        if len(text) <= _LARGEST_REMEMBERED and not passed.depends_on_parameters:
            with self._lock:
                self._passed[text, is_writer] = passed
                while len(self._passed) > self._max_remembered:
                    self._passed.popitem(last=False)
        return passed
