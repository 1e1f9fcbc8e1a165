"""The folder that one engine owns: its lock, its configuration, and what a kill left behind."""

import os
import shutil
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from deploy.local.clickhouse.domain.statement import LARGEST_GROWTH
from services.runtime import file_lock

# A value that no client can change, in either profile: what reads or writes a file, opens an address,
# evaluates an expression, or switches the language that the statement check understands.
_CONSTANTS: Final = {
    "additional_result_filter": "",
    "allow_introspection_functions": "0",
    "async_insert": "0",
    "dialect": "clickhouse",
    "format_avro_schema_registry_url": "",
    "format_schema_source": "string",
    "format_template_resultset": "",
    "format_template_row": "",
    "input_format_record_errors_file_path": "",
    "input_format_values_deduce_templates_of_expressions": "0",
    "max_parser_backtracks": "100000",
    "input_format_values_interpret_expressions": "0",
    "schema_inference_hints": "",
}

# Each flush makes a part of its own, of which the next flush tells: it never ends, and takes 8 ms of CPU.
_PART_LOG_MILLISECONDS: Final = 30_000
# How often the engine looks at the memory that it uses; its own 50 ms cost a sixth of an idle store's CPU.
_MEMORY_MILLISECONDS: Final = 1_000
_ROOM_FOR_EXPLAIN: Final = 4096
_MOST_THREADS: Final = 64
_THREADS: Final = ("max_threads", "max_insert_threads", "max_final_threads", "max_parsing_threads")


class FolderUnusableError(Exception):
    """The engine cannot have the folder; the text is one sentence."""


class EngineFolder:
    """Exclusive ownership of `folder` until `release`, or until this process dies."""

    def __init__(self, folder: Path) -> None:
        self.path = folder.resolve()
        self.store = self.path / "store"
        self.scratch = self.path / "scratch"
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = file_lock.acquire(self.path / "front.lock")
        except OSError as error:
            raise FolderUnusableError(
                f"the engine cannot open its folder ({type(error).__name__})."
            ) from None
        except file_lock.LockedElsewhereError:
            raise FolderUnusableError(
                "another process uses this data folder; stop it or set another."
            ) from None

    def prepare(
        self,
        *,
        max_execution_seconds: int,
        max_memory_bytes: int,
        max_result_bytes: int,
        max_query_bytes: int = 256 * 1024,
    ) -> str:
        """Writes the engine's configuration, removes stale temporary files; returns the connection string."""
        for folder in (self.scratch, self.store / "tmp"):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.scratch, self.store):
            folder.mkdir(mode=0o700, exist_ok=True)
        # The engine reads it from the C library; what it leaves there when killed is then ours to remove.
        os.putenv("TMPDIR", str(self.scratch))
        # The engine keeps the writer's Protobuf schema in a file under its working directory.
        os.chdir(self.scratch)
        self._write(
            "users.xml", _users(max_execution_seconds, max_memory_bytes, max_result_bytes, max_query_bytes)
        )
        self._write("engine.xml", _engine(self.path / "users.xml", self.scratch / "format_schemas"))
        return f"{self.store}?config-file={self.path / 'engine.xml'}"

    def release(self) -> None:
        """Gives the folder up."""
        os.close(self._lock)

    def _write(self, name: str, text: str) -> None:
        path = self.path / name
        scratch = path.with_suffix(".new")
        scratch.write_text(text, encoding="utf-8")
        os.replace(scratch, path)  # noqa: PTH105 - the atomic one


def _engine(users: Path, format_schemas: Path) -> str:
    # Without statistics of columns, which each merge would make again for half of its CPU.
    return f"""<clickhouse>
  <users_config>{escape(str(users))}</users_config>
  <format_schema_path>{escape(str(format_schemas))}/</format_schema_path>
  <merge_tree><auto_statistics_types></auto_statistics_types></merge_tree>
  <memory_worker_period_ms>{_MEMORY_MILLISECONDS}</memory_worker_period_ms>
  <part_log>
    <database>system</database>
    <table>part_log</table>
    <partition_by>event_date</partition_by>
    <ttl>event_date + INTERVAL 7 DAY DELETE</ttl>
    <flush_interval_milliseconds>{_PART_LOG_MILLISECONDS}</flush_interval_milliseconds>
  </part_log>
</clickhouse>
"""


def _users(
    max_execution_seconds: int, max_memory_bytes: int, max_result_bytes: int, max_query_bytes: int
) -> str:
    limits = {
        "max_execution_time": max_execution_seconds,
        "max_memory_usage": max_memory_bytes,
        "max_result_bytes": max_result_bytes,
    }
    # What is parsed is the canonical text, which is longer than what was sent.
    query = {"max_query_size": LARGEST_GROWTH * max_query_bytes + _ROOM_FOR_EXPLAIN}
    values = "".join(f"<{name}>{value}</{name}>" for name, value in {**_CONSTANTS, **limits, **query}.items())
    constants = "".join(f"<{name}><const/></{name}>" for name in _CONSTANTS)
    # Zero would mean no limit, so the least value is one.
    bounds = "".join(f"<{name}><min>1</min><max>{value}</max></{name}>" for name, value in limits.items())
    # All queries share the engine's threads, the writer's too.
    bounds += "".join(f"<{name}><max>{_MOST_THREADS}</max></{name}>" for name in _THREADS)
    return f"""<clickhouse>
  <profiles>
    <default>{values}<constraints>{constants}{bounds}</constraints></default>
  </profiles>
  <roles>
    <reader><grants>
      <query>GRANT SELECT, SHOW ON *.*</query>
      <query>GRANT CREATE TEMPORARY TABLE ON *.*</query>
    </grants></reader>
    <writer><grants>
      <query>GRANT SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, CREATE TEMPORARY TABLE,
        DROP, TRUNCATE, OPTIMIZE, SHOW, KILL QUERY, SYSTEM ON *.*</query>
    </grants></writer>
  </roles>
  <users>
    <default>
      <password></password>
      <networks><ip>::1</ip><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants><query>GRANT reader, writer</query></grants>
    </default>
  </users>
  <quotas><default/></quotas>
</clickhouse>
"""
