import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.kafka import jar_lock
from deploy.local.kafka.jar_lock import Jar, JarLock, JarLockError
from deploy.local.kafka.jars import LOCK_FILE, committed_lock

BROKER = Jar("org.apache.kafka", "kafka_2.13", "4.1.2", 10, "a" * 64)
names = st.text(string.ascii_letters + string.digits + "_.-", min_size=1, max_size=20)
# A third of the time that a regular expression of 64 digits takes.
sums = st.binary(min_size=32, max_size=32).map(bytes.hex)
jars = st.builds(Jar, names, names, names, st.integers(1, 1 << 40), sums)


@given(st.lists(jars, max_size=8, unique_by=lambda jar: jar.file_name))
def test_a_lock_reads_back_as_it_was_written(others: list[Jar]) -> None:
    lock = JarLock((BROKER, *(jar for jar in others if jar.file_name != BROKER.file_name)))

    text = "# a heading\n\n" + "\n".join(jar.line for jar in lock.jars)

    assert jar_lock.parse(text) == lock
    assert jar_lock.parse(text).digest == lock.digest


@pytest.mark.parametrize(
    "line",
    [
        "org.apache.kafka:kafka_2.13 10 " + "a" * 64,
        "org.apache.kafka:kafka_2.13:4.1.2 ten " + "a" * 64,
        "org.apache.kafka:kafka_2.13:4.1.2 0 " + "a" * 64,
        "org.apache.kafka:kafka_2.13:4.1.2 10 " + "A" * 64,
        "../x:kafka_2.13:4.1.2 10 " + "a" * 64,
    ],
)
def test_a_line_of_another_form_is_refused_by_its_number(line: str) -> None:
    with pytest.raises(JarLockError, match=r"line 2 of jars\.lock"):
        jar_lock.parse(f"{BROKER.line}\n{line}")


def test_a_jar_that_stands_twice_is_refused() -> None:
    with pytest.raises(JarLockError, match="twice"):
        jar_lock.parse(f"{BROKER.line}\n{BROKER.line}")


def test_a_lock_without_the_broker_is_refused() -> None:
    with pytest.raises(JarLockError, match="does not name the broker"):
        jar_lock.parse("# nothing")


def test_the_committed_lock_is_usable_and_agrees_with_itself() -> None:
    lock = committed_lock()
    kafka = {jar.version for jar in lock.jars if jar.group == "org.apache.kafka"}

    # One version of every part of Kafka: a resolver that mixes in an older client would be seen here.
    assert kafka == {lock.kafka_version}
    assert {"log4j-core", "log4j-slf4j-impl", "kafka-clients"} <= {jar.artifact for jar in lock.jars}


def test_the_committed_lock_names_no_host() -> None:
    assert "//" not in LOCK_FILE.read_text(encoding="ascii")
