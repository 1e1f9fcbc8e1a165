"""The beginnings that digests stand for are as many as a message holds, and each is longer than the last."""

import itertools

from comptoir.router.v1 import router_pb2

from services.contract.prefix import PREFIX_ENDS_BYTES


def test_each_is_longer_than_the_last_and_none_is_beyond_64_kib() -> None:
    assert tuple(sorted(set(PREFIX_ENDS_BYTES))) == PREFIX_ENDS_BYTES
    assert (PREFIX_ENDS_BYTES[0], PREFIX_ENDS_BYTES[-1]) == (512, 64 * 1024)


def test_what_is_between_two_is_at_most_half_of_the_longer_one() -> None:
    assert all(2 * shorter >= longer for shorter, longer in itertools.pairwise(PREFIX_ENDS_BYTES))


def test_the_schema_takes_all_of_them() -> None:
    field = router_pb2.AdmitRequest.DESCRIPTOR.fields_by_name["prefix_digests"]
    rules = next(rule for option, rule in field.GetOptions().ListFields() if option.name == "field")
    assert rules.repeated.max_items == len(PREFIX_ENDS_BYTES)
