"""What waits for a stream that takes nothing, as that of a replica that hangs."""

from typing import Any

from services.edge.adapters.joined_generations import JoinedGenerations


class Unwritten:
    """The stub of a replica; its stream is never opened, so all that is asked waits."""

    def GenerateMany(self) -> Any:  # noqa: N802 - the schema's name
        raise AssertionError("nothing gives the loop a turn")


def joined() -> JoinedGenerations:
    return JoinedGenerations(Unwritten())  # type: ignore[arg-type] # as much of it as is used


async def test_a_call_that_is_given_up_before_it_was_sent_is_not_sent_and_keeps_no_text() -> None:
    calls = joined()
    first, second, third = (calls.begin(text, timeout_milliseconds=1) for text in (b"a", b"b", b"c"))
    second.cancel()
    message = calls.outgoing()
    assert message is not None
    assert ([call.request for call in message.calls], list(message.cancelled)) == ([b"a", b"c"], [])
    first.cancel()
    message = calls.outgoing()
    assert message is not None
    assert (len(message.calls), list(message.cancelled)) == (0, [1])
    third.cancel()
    await calls.close()


async def test_where_all_are_given_up_nothing_is_sent() -> None:
    calls = joined()
    for _ in range(3):
        calls.begin(b"x" * 1024, timeout_milliseconds=1).cancel()
    assert (calls.outgoing(), calls.open_calls) == (None, 0)
    await calls.close()


async def test_calls_are_sent_in_their_order_in_messages_that_the_replica_takes() -> None:
    calls = joined()
    begun = [calls.begin(bytes([number]) * 400_000, timeout_milliseconds=1) for number in range(6)]
    begun[1].cancel()
    sent: list[list[int]] = []
    while (message := calls.outgoing()) is not None:
        sent.append([call.request[0] for call in message.calls])
    assert sent == [[0, 2], [3, 4], [5]]
    await calls.close()
