import asyncio
import resource

import pytest
import uvloop

from services.runtime.http.server import AddressTakenError, _room_for, bind
from tests.services.runtime.http.serving import Echo, serving


def test_an_address_that_is_taken_is_said_so() -> None:
    bound = bind("127.0.0.1", 0)
    bound.listen()
    with pytest.raises(AddressTakenError):
        bind("127.0.0.1", bound.getsockname()[1])
    bound.close()


def test_connections_fit_into_what_the_kernel_grants(monkeypatch: pytest.MonkeyPatch) -> None:
    granted: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _kind, limits: granted.append(limits))
    for limits, room, expected in [
        ((100_000, 100_000), 4096, []),
        ((1024, 100_000), 4096, [(4608, 100_000)]),
        ((1024, resource.RLIM_INFINITY), 4096, [(4608, resource.RLIM_INFINITY)]),
        ((1024, 2048), 1536, [(2048, 2048)]),
        ((256, 256), 1, [(256, 256)]),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), 4096, []),
    ]:
        granted.clear()
        monkeypatch.setattr(resource, "getrlimit", lambda _kind, limits=limits: limits)
        assert _room_for(4096) == room
        assert granted == expected


def test_the_loop_of_production_serves_alike() -> None:
    # Its transports are not asyncio's: what this file's neighbours show of those holds for both.
    async def scenario() -> None:
        async with serving(Echo(), idle_seconds=0.2) as served:
            client = await served.connect()
            client.send(b"POST /a HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi" * 200)
            for _ in range(200):
                assert (await client.answer())[2] == b"POST /a hi"
            client.send(b"\r\n")
            assert await client.rest() == b""
            refused = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 2_000
            assert (await served.ask(refused)).startswith(b"HTTP/1.1 431 ")
            big = b"x" * 8_000_000
            answered = await served.ask(
                b"POST / HTTP/1.1\r\nconnection: close\r\ncontent-length: 8000000\r\n\r\n" + big
            )
            assert answered.endswith(big)
        assert served.server.connections == 0

    uvloop.run(asyncio.wait_for(scenario(), 20))
