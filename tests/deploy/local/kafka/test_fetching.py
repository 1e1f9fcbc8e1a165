import json
from pathlib import Path

import pytest

from deploy.local.kafka import fetching, jars
from deploy.local.kafka.settings import LocalKafkaSettings
from services.kernel.catalog import Catalog, Model, Region


@pytest.fixture
def settings(tmp_path: Path) -> LocalKafkaSettings:
    catalog = Catalog(
        regions=(Region(number=1, name="eu-fr"),),
        models=(Model(number=1, name="tiny-eu", context_tokens=8, max_output_tokens=8),),
    )
    return LocalKafkaSettings(
        region="eu-fr", catalog=catalog, data_folder=tmp_path / "kafka", cache_folder=tmp_path / "cache"
    )


def _pretend_that_all_jars_are_there(settings: LocalKafkaSettings) -> None:
    lock = jars.committed_lock()
    for jar, path in zip(lock.jars, jars.class_path(lock, settings.cache_folder), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(jar.size_bytes)
    (settings.cache_folder / lock.kafka_version / "checked").write_text(lock.digest, encoding="ascii")


def test_with_all_jars_there_the_only_line_says_so(
    settings: LocalKafkaSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    _pretend_that_all_jars_are_there(settings)

    class_path = fetching.fetch_jars(settings, prints_progress=True)

    line = json.loads(capsys.readouterr().out)
    assert line["step"] == "jars"
    assert line["jars_done"] == line["jars_total"] == len(class_path)
    assert line["bytes_done"] == line["bytes_total"]


def test_nothing_is_printed_unless_asked(
    settings: LocalKafkaSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    _pretend_that_all_jars_are_there(settings)

    fetching.fetch_jars(settings, prints_progress=False)

    assert capsys.readouterr().out == ""


def test_a_line_a_percent_is_enough(capsys: pytest.CaptureFixture[str]) -> None:
    report = fetching._Printed()

    for bytes_done in range(10_001):
        report(jars.Progress(0, 1, bytes_done, 10_000))

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 101
    assert json.loads(lines[-1])["bytes_done"] == 10_000
