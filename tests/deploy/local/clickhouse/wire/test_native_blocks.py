"""The compressed blocks of ClickHouse's own format, with the checksums that it writes and checks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.clickhouse.domain.errors import CHECKSUM_DOESNT_MATCH, StoreError
from deploy.local.clickhouse.wire.native_blocks import decode_blocks, encode_blocks

# Checksums that ClickHouse itself wrote before its compressed blocks.
BLOCKS = [
    ("020b000000020000000025", "1100db09f1898b26a8b94adecce99dbc"),
    ("020e0000000500000000254a6f94", "8914be256d12f8b1a03e35fca90bddaf"),
    ("02100000000700000000254a6f94b9de", "f1658ca68762875814b78fa2ebb2daef"),
    ("02110000000800000000254a6f94b9de03", "04291225d6930bc86e2ad13cbff37e1c"),
    ("021200000009000000818080808080808040", "2853373563343b9c9b0e52d637e1aea4"),
    ("02150000000c00000000254a6f94b9de03284d7297", "c1a06b24329d5d2ea93aa23e85a927b2"),
    ("021d0000001400000000254a6f94b9de03284d7297bce1062b50759abf", "f34664c30f1ce94dad2ec08b17b10c58"),
    (
        (
            "02ae000000a500000000254a6f94b9de03284d7297bce1062b50759abfe4092e53789dc2e70c31567ba0c5ea0f"
            "34597ea3c8ed12375c81a6cbf0153a5f84a9cef3183d6287acd1f61b40658aafd4f91e43688db2d7fc21466b90"
            "b5daff24496e93b8dd02274c7196bbe0052a4f7499bee3082d52779cc1e60b30557a9fc4e90e33587da2c7ec11"
            "365b80a5caef14395e83a8cdf2173c6186abd0f51a3f6489aed3f81d42678cb1d6fb20456a8fb4"
        ),
        "785a3802adb38bd54008a07d7bdf79a7",
    ),
    (
        (
            "02350100002c01000000254a6f94b9de03284d7297bce1062b50759abfe4092e53789dc2e70c31567ba0c5ea0f"
            "34597ea3c8ed12375c81a6cbf0153a5f84a9cef3183d6287acd1f61b40658aafd4f91e43688db2d7fc21466b90"
            "b5daff24496e93b8dd02274c7196bbe0052a4f7499bee3082d52779cc1e60b30557a9fc4e90e33587da2c7ec11"
            "365b80a5caef14395e83a8cdf2173c6186abd0f51a3f6489aed3f81d42678cb1d6fb20456a8fb4d9fe23486d92"
            "b7dc01264b7095badf04294e7398bde2072c51769bc0e50a2f54799ec3e80d32577ca1c6eb10355a7fa4c9ee13"
            "385d82a7ccf1163b6085aacff4193e6388add2f71c41668bb0d5fa1f44698eb3d8fd22476c91b6db00254a6f94"
            "b9de03284d7297bce1062b50759abfe4092e53789dc2e70c31567ba0c5ea0f34597ea3c8ed1237"
        ),
        "1831d82041155c1a8e64e1388bfc542a",
    ),
]


@pytest.mark.parametrize(("block", "checksum"), BLOCKS)
def test_a_block_with_the_checksum_that_clickhouse_wrote_is_taken(block: str, checksum: str) -> None:
    content = bytes.fromhex(block)
    assert decode_blocks(bytes.fromhex(checksum) + content, 1000) == content[9:]


@given(st.binary(min_size=1, max_size=1000), st.data())
def test_one_bit_more_or_less_is_told(body: bytes, data: st.DataObject) -> None:
    blocks = bytearray(encode_blocks(body))
    at = data.draw(st.integers(0, 16 * 8 - 1))
    blocks[at // 8] ^= 1 << at % 8
    with pytest.raises(StoreError) as refused:
        decode_blocks(bytes(blocks), 1000)
    assert refused.value.code == CHECKSUM_DOESNT_MATCH
