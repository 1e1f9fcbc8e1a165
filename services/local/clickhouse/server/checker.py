"""The statement check with a memory: a text that passed once need not be parsed again."""

import threading
from collections import OrderedDict
from collections.abc import Mapping

from services.local.clickhouse.domain.errors import QUERY_IS_TOO_LARGE, SYNTAX_ERROR, StoreError
from services.local.clickhouse.domain.ports import Engine
from services.local.clickhouse.domain.statement import Statement, check_parameters, check_text, check_tree

_LARGEST_REMEMBERED = 8192


class StatementChecker:
    """Turns the text of a client into a statement that may run. Thread-safe."""

    def __init__(self, engine: Engine, *, max_query_bytes: int, max_remembered: int = 1024) -> None:
        self._engine = engine
        self._max_query_bytes = max_query_bytes
        self._max_remembered = max_remembered
        self._lock = threading.Lock()
        self._passed: OrderedDict[tuple[str, bool], Statement] = OrderedDict()

    def known(self, text: str, parameters: Mapping[str, str], *, is_writer: bool) -> Statement | None:
        """The statement of a text that passed before, without asking the engine; StoreError as `check`."""
        with self._lock:
            passed = self._passed.get((text, is_writer))
            if passed is not None:
                self._passed.move_to_end((text, is_writer))
        # The tree's shape does not depend on the parameters, but a name can be one.
        if passed is not None:
            check_parameters(passed.text, parameters)
        return passed

    def check(self, text: str, parameters: Mapping[str, str], *, is_writer: bool) -> Statement:
        """The statement of `text`; StoreError if it is not exactly one or may not run."""
        if len(text.encode()) > self._max_query_bytes:
            raise StoreError.refused(
                QUERY_IS_TOO_LARGE, f"The query is larger than {self._max_query_bytes} bytes."
            )
        if not text.strip():
            raise StoreError.refused(SYNTAX_ERROR, "Empty query.")
        canonical = self._engine.canonical(text)
        check_text(canonical, is_writer=is_writer, engine_settings=self._engine.setting_names)
        passed = check_tree(canonical, self._engine.tree(canonical, parameters), is_writer=is_writer)
        check_parameters(passed.text, parameters)
        if len(text) <= _LARGEST_REMEMBERED:
            with self._lock:
                self._passed[text, is_writer] = passed
                while len(self._passed) > self._max_remembered:
                    self._passed.popitem(last=False)
        return passed
