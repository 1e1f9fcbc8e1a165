"""A channel whose TLS files are read again when they change: whoever renews them needs no restart."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import grpc

from services.runtime.addresses import TlsFiles
from services.runtime.reloaded_tls import ReloadedTls

Connect = Callable[[grpc.ChannelCredentials], grpc.aio.Channel]


@dataclass(slots=True, eq=False)
class _Made:
    """A channel on the files of one moment, and how many of its calls are open."""

    channel: grpc.aio.Channel
    open_calls: int = 0


class ReloadedChannel(grpc.aio.Channel):
    """A channel on the TLS files as they are when a call begins; `address` names it in the log.

    Calls that began before a change go on, on the connection that they have. SettingsError where the files
    cannot be used at first; what cannot be used later changes nothing, and is told once.
    """

    def __init__(self, address: str, files: TlsFiles, connect: Connect) -> None:
        paths = (files.certificate_file, files.private_key_file, files.ca_file)
        self._reloaded = ReloadedTls(address, paths, files.channel_credentials)
        self._connect = connect
        self._used = self._reloaded.context
        self._present = _Made(connect(self._used))
        # On earlier files: each is closed as soon as its last call has ended.
        self._outdated: set[_Made] = set()
        self._closing: set[asyncio.Task[None]] = set()

    def begin(self, method: "_Method", *arguments: Any, **named: Any) -> Any:
        """Returns the call of a method on the present channel."""
        made = self._renewed()
        call = method.on(made.channel)(*arguments, **named)
        made.open_calls += 1
        call.add_done_callback(lambda _call: self._end(made))
        return call

    def _renewed(self) -> _Made:
        """Returns the present channel, which is another one where the files have changed."""
        self._reloaded.check()
        if self._reloaded.context is not self._used:
            before, self._used = self._present, self._reloaded.context
            self._present = _Made(self._connect(self._used))
            self._outdated.add(before)
            self._drop_if_idle(before)
        return self._present

    def _end(self, made: _Made) -> None:
        made.open_calls -= 1
        self._drop_if_idle(made)

    def _drop_if_idle(self, made: _Made) -> None:
        if made in self._outdated and not made.open_calls:
            self._outdated.discard(made)
            task = asyncio.get_running_loop().create_task(made.channel.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def close(self, grace: float | None = None) -> None:
        """Closes it, and what is left of channels on earlier files."""
        channels = [self._present.channel, *(made.channel for made in self._outdated)]
        self._outdated.clear()
        await asyncio.gather(*self._closing, *(channel.close(grace) for channel in channels))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        """Returns the state of the present channel."""
        return self._renewed().channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Waits until the present channel has another state."""
        await self._renewed().channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        """Waits until the present channel is connected."""
        await self._renewed().channel.channel_ready()

    def unary_unary(self, *arguments: Any, **named: Any) -> Any:
        """Returns a method of the present channel."""
        return _Method(self, lambda channel: channel.unary_unary(*arguments, **named))

    def unary_stream(self, *arguments: Any, **named: Any) -> Any:
        """Returns a method of the present channel."""
        return _Method(self, lambda channel: channel.unary_stream(*arguments, **named))

    def stream_unary(self, *arguments: Any, **named: Any) -> Any:
        """Returns a method of the present channel."""
        return _Method(self, lambda channel: channel.stream_unary(*arguments, **named))

    def stream_stream(self, *arguments: Any, **named: Any) -> Any:
        """Returns a method of the present channel."""
        return _Method(self, lambda channel: channel.stream_stream(*arguments, **named))


class _Method:
    """A method of whichever channel is the present one; made once for each channel."""

    def __init__(self, owner: ReloadedChannel, make: Callable[[grpc.aio.Channel], Any]) -> None:
        self._owner = owner
        self._make = make
        self._channel: grpc.aio.Channel | None = None
        self._method: Any = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._owner.begin(self, *arguments, **named)

    def on(self, channel: grpc.aio.Channel) -> Any:
        """Returns the method of `channel`."""
        if channel is not self._channel:
            self._channel, self._method = channel, self._make(channel)
        return self._method
