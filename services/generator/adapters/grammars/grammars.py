"""Whether a schema can be used: tried in a process of its own, within a time, before the engine sees it."""

import asyncio
import contextlib
import hashlib
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from services.generator.adapters.grammars.grammar_process import LENGTH, question
from services.generator.domain.structure import FIELD, Structure, refused
from services.generator.domain.tenant_turns import TenantTurns
from services.kernel.errors import ComptoirError, Reason
from services.runtime.logs import get_logger

_log = get_logger(__name__)
_COMMAND: Final = (sys.executable, "-m", "services.generator.adapters.grammars.grammar_process")
_START_SECONDS: Final = 30.0
_TRY_SECONDS: Final = 2.0
_KEPT: Final = 512
# No keyword.
_NOT_MADE: Final = "--"


class Grammars:
    """One process that tries schemas, one after the other; killed and begun anew where one takes too long.

    Tenants have their turns by the time that they took: one that sends what takes too long holds itself up.
    """

    def __init__(
        self,
        tokenizer_json: Callable[[], str],
        *,
        start_seconds: float = _START_SECONDS,
        try_seconds: float = _TRY_SECONDS,
    ) -> None:
        self._tokenizer_json = tokenizer_json
        self._start_seconds = start_seconds
        self._try_seconds = try_seconds
        self._child: _Child | None = None
        # One thread, so that one question is asked at a time, and its answer read by who asked.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="grammars")
        # By digest: a schema is used again and again, and nothing of it is kept.
        self._faults: OrderedDict[bytes, str] = OrderedDict()
        self._turns = TenantTurns()
        self._is_closed = False

    async def check(self, structure: Structure, field: str = FIELD, tenant: int = 0) -> None:
        """Raises PARAMETER_UNSUPPORTED, with `field` and a keyword, for a structure that cannot be used."""
        asked = question(structure.json_schema, structure.grammar)
        digest = hashlib.sha256(asked).digest()
        fault = self._faults.get(digest)
        if fault is None:
            await self._turns.take(tenant)
            # A caller that leaves does not stop the process: the turn is over when that is done.
            trying = asyncio.create_task(self._try(asked, digest, tenant))
            trying.add_done_callback(lambda tried: tried.cancelled() or tried.exception())
            fault = await asyncio.shield(trying)
        if fault:
            raise refused(fault, field)

    async def _try(self, asked: bytes, digest: bytes, tenant: int) -> str:
        loop = asyncio.get_running_loop()
        began_seconds = loop.time()
        try:
            # Somebody else may have sent it while this one waited.
            fault = self._faults.get(digest)
            if fault is None:
                fault = await loop.run_in_executor(self._thread, self._fault_of, asked)
                self._keep(digest, fault)
            return fault
        finally:
            self._turns.give_on(tenant, loop.time() - began_seconds)

    def _keep(self, digest: bytes, fault: str) -> None:
        # That it took too long may have been the machine's doing.
        if fault != _NOT_MADE:
            self._faults[digest] = fault
        if len(self._faults) > _KEPT:
            self._faults.popitem(last=False)

    def close(self) -> None:
        """Ends the process and the thread, from any thread; nobody asks any more."""
        self._is_closed = True
        self._end()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _fault_of(self, asked: bytes) -> str:
        child = self._child
        if child is None or child.has_ended:
            self._end()
            child = self._start()
        try:
            return child.ask(asked, within_seconds=self._try_seconds)
        except EOFError:
            # Out of time or memory: so it is with a schema that is made for that.
            _log.warning("grammar_not_made", duration_seconds=self._try_seconds)
            self._end()
            # In the time of whoever sent that, and of nobody who is next.
            with contextlib.suppress(ComptoirError):
                self._start()
            return _NOT_MADE

    def _start(self) -> "_Child":
        if self._is_closed:
            raise ComptoirError(Reason.REPLICA_DRAINING)
        child = self._child = _Child()
        try:
            child.tell(self._tokenizer_json().encode())
            child.ask(question("{}", ""), within_seconds=self._start_seconds)
        except EOFError:
            self._end()
            raise ComptoirError(Reason.REPLICA_OVERLOADED) from None
        return child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()


class _Child:
    """The process, with its pipes; an EOFError says that it has ended, by itself or by its time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def tell(self, content: bytes) -> None:
        pipe = self._process.stdin
        try:
            if pipe is not None:
                pipe.write(LENGTH.pack(len(content)) + content)
                pipe.flush()
        except OSError:
            raise EOFError from None

    def ask(self, asked: bytes, *, within_seconds: float) -> str:
        timer = threading.Timer(within_seconds, self._process.kill)
        timer.start()
        try:
            self.tell(asked)
            line = b"" if self._process.stdout is None else self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line.endswith(b"\n"):
            raise EOFError
        return line.decode().rstrip("\n")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
