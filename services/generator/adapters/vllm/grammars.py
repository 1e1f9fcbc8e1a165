"""Whether a schema can be used: tried in a process of its own, within a time, before the engine sees it."""

import asyncio
import hashlib
import sys
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from vllm.v1.structured_output import backend_guidance

from services.generator.adapters.vllm.grammar_process import LENGTH, UNNAMED
from services.generator.domain.structure import Structure, refused
from services.kernel.errors import ComptoirError, Reason
from services.runtime.logs import get_logger

_log = get_logger(__name__)
_COMMAND: Final = (sys.executable, "-m", "services.generator.adapters.vllm.grammar_process")
_START_SECONDS: Final = 30.0
_TRY_SECONDS: Final = 2.0
_KEPT: Final = 512


class Grammars:
    """One process that tries schemas, one after the other; killed and begun anew where one takes too long."""

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
        self._turn = asyncio.Lock()
        # By digest: a schema is used again and again, and nothing of it is kept.
        self._faults: OrderedDict[bytes, str] = OrderedDict()

    async def check(self, structure: Structure) -> None:
        """Raises PARAMETER_UNSUPPORTED, with a keyword, for a schema that cannot be used."""
        schema = structure.json_schema.encode()
        digest = hashlib.sha256(schema).digest()
        async with self._turn:
            fault = self._faults.get(digest)
            if fault is None:
                fault = self._faults[digest] = await self._fault_of(schema)
            self._faults.move_to_end(digest)
            if len(self._faults) > _KEPT:
                self._faults.popitem(last=False)
        if fault:
            raise refused(fault)

    def kill(self) -> None:
        """Ends the process, from any thread; nobody asks any more."""
        if self._child is not None:
            self._child.kill()

    async def close(self) -> None:
        """Ends the process."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            await child.wait()

    async def _fault_of(self, schema: bytes) -> str:
        child = self._child or await self._start()
        try:
            async with asyncio.timeout(self._try_seconds):
                return await child.ask(schema)
        except TimeoutError:
            _log.warning("grammar_took_too_long", duration_seconds=self._try_seconds)
            await self.close()
        except (OSError, asyncio.IncompleteReadError):
            # It ran out of memory, most likely.
            _log.warning("grammar_process_ended")
            await self.close()
        except BaseException:
            # Half a question: the next one would get its answer.
            await self.close()
            raise
        return UNNAMED

    async def _start(self) -> "_Child":
        child = self._child = _Child(
            await asyncio.create_subprocess_exec(
                *_COMMAND,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        )
        try:
            async with asyncio.timeout(self._start_seconds):
                await child.tell(self._tokenizer_json().encode())
                await child.ask(b"{}")
        except (TimeoutError, OSError, asyncio.IncompleteReadError):
            await self.close()
            raise ComptoirError(Reason.REPLICA_OVERLOADED) from None
        except BaseException:
            await self.close()
            raise
        return child


class _Child:
    """The process, with its pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        if process.stdin is None or process.stdout is None:
            raise OSError
        self._process = process
        self._asked = process.stdin
        self._answered = process.stdout

    async def tell(self, content: bytes) -> None:
        self._asked.write(LENGTH.pack(len(content)) + content)
        await self._asked.drain()

    async def ask(self, schema: bytes) -> str:
        await self.tell(schema)
        return (await self._answered.readuntil(b"\n")).decode().rstrip("\n")

    def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()

    async def wait(self) -> None:
        await self._process.wait()


def trust_checked_schemas() -> None:
    """Lets vLLM's front end take a schema as it is: it would make a grammar of it in the event loop.

    Every schema has been tried by `Grammars` before, as vLLM's engine uses it.
    """
    backend_guidance.validate_guidance_grammar = _was_checked


def _was_checked(_params: Any, tokenizer: Any = None) -> None:
    del tokenizer
