from pipelines.usage.domain.dead_letter import DeadLetter
from pipelines.usage.domain.errors import Fault
from pipelines.usage.domain.ports import Partition, Record

CANARY = b"the patient has a fever"


def test_a_letter_holds_position_length_and_reason_and_nothing_of_the_payload() -> None:
    record = Record(Partition("comptoir.generation.v1", 3), 41, CANARY)
    letter = DeadLetter.of(record, Fault.BODY_UNREADABLE)
    assert letter.key == b"comptoir.generation.v1:3:41"
    assert letter.value == (
        b'{"letter_version":1,"reason":10,"reason_name":"body_unreadable","topic":"comptoir.generation.v1",'
        b'"partition":3,"offset":41,"length_bytes":23,"store_code":0}'
    )


def test_the_same_position_has_the_same_key_and_content() -> None:
    record = Record(Partition("t", 0), 1, CANARY)
    one, two = DeadLetter.of(record, Fault.EXPIRED), DeadLetter.of(record, Fault.EXPIRED)
    assert (one.key, one.value) == (two.key, two.value)
