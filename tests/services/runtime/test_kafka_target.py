"""Kafka is reached in plaintext on this machine alone; who a process is, a certificate or a user says."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from aiokafka.conn import ScramAuthenticator
from pydantic import ValidationError

from services.runtime.kafka_target import KafkaTarget, KafkaUser
from services.runtime.settings_error import SettingsError
from tests.services.runtime.certificates import Authority


def user(tmp_path: Path, content: bytes = b"made up\n") -> KafkaUser:
    file = tmp_path / "emitter.password"
    file.write_bytes(content)
    return KafkaUser(user="emitter", password_file=file)


def test_kafka_gets_this_processs_certificate_and_the_authority(tmp_path: Path) -> None:
    kafka = KafkaTarget(bootstrap="kafka.example:9092", tls=Authority(tmp_path / "ca").files("usage"))
    context = kafka.ssl_context()
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    begun = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="kafka.example")
    assert len(begun.context.get_ca_certs()) == 1


def test_kafka_on_this_machine_needs_no_tls_and_elsewhere_does() -> None:
    assert KafkaTarget(bootstrap="127.0.0.1:1,localhost:2").ssl_context() is None
    with pytest.raises(ValidationError, match="needs tls"):
        KafkaTarget(bootstrap="127.0.0.1:1,kafka.example:2")


def test_a_user_alone_does_not_leave_the_machine_without_tls(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="needs tls, or ca_file with sasl"):
        KafkaTarget(bootstrap="kafka.example:9094", sasl=user(tmp_path))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ca_file": "ca.pem"}, "needs sasl"),
        (
            {"ca_file": "ca.pem", "tls": {"certificate_file": "a", "private_key_file": "b", "ca_file": "c"}},
            "own",
        ),
        ({"sasl": {"user": "emitter", "password_file": "p", "mechanism": "PLAIN"}}, "mechanism"),
        ({"sasl": {"user": "emitter", "password": "secret"}}, "password_file"),
        ({"sasl": {"user": "a,b=c", "password_file": "p"}}, "user"),
    ],
)
def test_what_says_too_little_or_too_much_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        KafkaTarget.model_validate({"bootstrap": "kafka.example:9094", **fields})


@pytest.mark.parametrize(
    ("has_tls", "has_user", "protocol"),
    [
        (False, False, "PLAINTEXT"),
        (True, False, "SSL"),
        (True, True, "SASL_SSL"),
        (False, True, "SASL_PLAINTEXT"),
    ],
)
def test_a_client_is_told_how_to_connect(
    tmp_path: Path, has_tls: bool, has_user: bool, protocol: str
) -> None:
    tls = Authority(tmp_path / "ca").files("emitter") if has_tls else None
    target = KafkaTarget(bootstrap="127.0.0.1:1", tls=tls, sasl=user(tmp_path) if has_user else None)
    told = target.connection()
    assert told["security_protocol"] == protocol
    assert (told["ssl_context"] is not None) == has_tls
    assert told.get("sasl_mechanism") == ("SCRAM-SHA-512" if has_user else None)


def test_an_authority_is_enough_for_a_user(tmp_path: Path) -> None:
    ca_file = Authority(tmp_path / "ca").files("broker").ca_file
    target = KafkaTarget(bootstrap="kafka.example:9094", ca_file=ca_file, sasl=user(tmp_path))
    context = target.ssl_context()
    assert context is not None
    assert context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="kafka.example")
    assert target.connection()["security_protocol"] == "SASL_SSL"
    ca_file.write_text("no authority")
    with pytest.raises(SettingsError, match=r"ca\.pem cannot be read as an authority"):
        target.connection()


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"\xff\xfe", b"x" * 1025, b"a\x00b"])
def test_a_file_without_a_password_is_one_sentence_without_its_content(
    tmp_path: Path, content: bytes
) -> None:
    target = KafkaTarget(bootstrap="127.0.0.1:1", sasl=user(tmp_path, content))
    with pytest.raises(SettingsError, match=r"the secret file emitter\.password") as refused:
        target.connection()
    assert "lines" not in str(refused.value)


def test_the_library_proves_the_password_of_the_moment_it_connects(tmp_path: Path) -> None:
    target = KafkaTarget(bootstrap="127.0.0.1:1", sasl=user(tmp_path))
    told = target.connection()

    def proves() -> object:
        authenticator = ScramAuthenticator(
            loop=None,
            sasl_plain_password=told["sasl_plain_password"],
            sasl_plain_username=told["sasl_plain_username"],
            sasl_mechanism=told["sasl_mechanism"],
        )
        return authenticator._sasl_plain_password

    assert proves() == b"made up"
    assert target.sasl is not None
    target.sasl.password_file.write_text("another one\n")
    assert proves() == b"another one"
