import json
import logging

import pytest

from services.generator.adapters.vllm.log import PlaceHandler

CANARY = "kanarienvogel-7f3a"


def test_a_record_says_where_it_comes_from_and_not_what_it_says(capfd: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("vllm.somewhere")
    logger.addHandler(PlaceHandler())
    try:
        raise ValueError(CANARY)  # noqa: TRY301 - a record needs a live exception
    except ValueError:
        logger.exception("prompt was %s", CANARY)
    logger.handlers.clear()
    written = capfd.readouterr().err
    assert CANARY not in written
    line = json.loads(written)
    assert line["places"] == [f"{__name__}:{line['line'] - 2} {line['places'][0].split()[-1]}"]
    assert line["causes"] == []
    assert (line["library"], line["error_type"], line["level"]) == ("vllm.somewhere", "ValueError", "error")
