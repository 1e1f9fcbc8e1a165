from openai._streaming import SSEDecoder

from services.edge.domain.openai.streams import DONE, error_frame


def test_a_failure_is_one_frame() -> None:
    frames = error_frame(b'{"error":{}}') + DONE
    assert [event.data for event in SSEDecoder().iter_bytes(iter([frames]))] == ['{"error":{}}', "[DONE]"]
