from openai._streaming import SSEDecoder

from services.edge.domain.openai.streams import EVENT_END, PING, event_start, failed_stream


def test_a_failure_is_one_frame_and_the_end() -> None:
    frames = failed_stream(b'{"error":{}}')
    assert [event.data for event in SSEDecoder().iter_bytes(iter([frames]))] == ['{"error":{}}', "[DONE]"]


def test_an_event_says_its_kind_and_a_comment_before_it_is_no_event() -> None:
    frames = PING + event_start("response.created", 7) + '"é":1'.encode() + EVENT_END
    (event,) = SSEDecoder().iter_bytes(iter([frames]))
    assert (event.event, event.id) == ("response.created", None)
    assert event.json() == {"type": "response.created", "sequence_number": 7, "é": 1}
