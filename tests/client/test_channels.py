"""Channels are shared, bounded, and never plaintext to another machine."""

import socket
import threading
from types import SimpleNamespace

import grpc
import pytest
from comptoir.client import Client, aio, aio_connections
from comptoir.client.channels import Pool, is_local
from comptoir.client.chat import Order
from comptoir.client.connections import Connections
from comptoir.router.v1.router_pb2 import ListModelsRequest, TicketOffer
from comptoir.router.v1.router_pb2_grpc import RouterServiceStub
from hypothesis import given
from hypothesis import strategies as st

from services.runtime import addresses
from tests.client.stage import chat
from tests.services.edge.scripts import GOOD_KEY

MOST = 5


def pool_of(most: int = MOST) -> tuple[Pool[str], list[str], list[str]]:
    made: list[str] = []
    dropped: list[str] = []

    def make(address: str) -> str:
        made.append(address)
        return address

    return Pool(make, dropped.append, most=most), made, dropped


def test_calls_to_one_address_share_what_was_made_for_it() -> None:
    pool, made, _ = pool_of()
    slots = [pool.borrow("a") for _ in range(3)]
    assert made == ["a"]
    assert {slot.kept for slot in slots} == {"a"}


def test_what_was_asked_longest_ago_makes_room_and_what_is_in_use_stays() -> None:
    pool, _, dropped = pool_of(3)
    busy = pool.borrow("a")
    for address in ("b", "c", "d"):
        pool.give_back(pool.borrow(address))
    assert dropped == ["b"]
    pool.give_back(busy)
    pool.borrow("e")
    assert dropped == ["b", "a"]


def test_a_request_is_worth_more_than_the_bound() -> None:
    pool, made, dropped = pool_of(1)
    slots = [pool.borrow(address) for address in "abc"]
    assert (made, dropped) == (["a", "b", "c"], [])
    for slot in slots:
        pool.give_back(slot)
    pool.borrow("d")
    assert dropped == ["a", "b", "c"]


@given(st.lists(st.sampled_from("abcdefgh"), max_size=60))
def test_no_more_are_kept_than_may_be_while_nothing_is_in_use(addresses: list[str]) -> None:
    pool, made, dropped = pool_of()
    for address in addresses:
        pool.give_back(pool.borrow(address))
    assert len(made) - len(dropped) == min(MOST, len(set(addresses)))
    assert sorted([*dropped, *pool.clear()]) == sorted(made)


def test_threads_make_one_for_an_address() -> None:
    pool, made, _ = pool_of()
    threads = [threading.Thread(target=pool.borrow, args=("a",)) for _ in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert made == ["a"]


def test_a_call_that_is_over_before_anybody_listens_holds_no_channel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connections, offer = Connections("unix:/nowhere", None, max_channels=2), TicketOffer()
    offer.generator_address = "unix:/nobody"
    slot = connections._replicas.borrow(offer.generator_address)
    over = SimpleNamespace(add_callback=lambda _callback: False)
    monkeypatch.setattr(slot.kept.stub, "Generate", lambda *_, **__: over)
    connections.generate(offer, Order(chat(), is_streamed=True), is_one_message=False)
    assert slot.calls == 1  # the one of this test
    connections.close()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:1", "[::1]:1", "localhost:1", "unix:/x", "10.0.0.1:1", "router:1", "[::]:1", "0.0.0.0:1"],
)
def test_what_is_on_this_machine_is_what_the_services_say_it_is(address: str) -> None:
    assert is_local(address) == addresses.is_local(address)


@pytest.mark.parametrize("make", [Client, aio.Client])
@pytest.mark.parametrize("address", ["10.0.0.1:8401", "router:8401", "dns:///router:8401", "nonsense", ""])
def test_a_key_never_leaves_the_machine_in_plaintext(
    make: type[Client] | type[aio.Client], address: str
) -> None:
    with pytest.raises(ValueError, match="needs tls"):
        make(address, api_key=GOOD_KEY)


async def test_a_proxy_of_the_environment_is_not_asked_for_what_stays_on_the_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.setblocking(False)
        for name in ("http_proxy", "https_proxy", "grpc_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
            monkeypatch.delenv(name, raising=False)
        blocking = Connections("127.0.0.1:9", None, max_channels=2)._connect("127.0.0.1:9")
        with pytest.raises(grpc.RpcError):
            RouterServiceStub(blocking).ListModels(ListModelsRequest(), timeout=5)
        blocking.close()
        async with aio_connections.Connections("127.0.0.1:9", None, max_channels=2)._connect(
            "127.0.0.1:9"
        ) as channel:
            with pytest.raises(grpc.RpcError):
                await RouterServiceStub(channel).ListModels(ListModelsRequest(), timeout=5)
        with pytest.raises(BlockingIOError):
            proxy.accept()
