"""The stop: either signal sets it."""

import asyncio
import os
import signal

from services.runtime.stop import stop_event


async def test_a_signal_sets_the_stop() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        stopped = stop_event()
        try:
            assert not stopped.is_set()
            os.kill(os.getpid(), number)
            await asyncio.wait_for(stopped.wait(), 5)
        finally:
            for each in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().remove_signal_handler(each)
