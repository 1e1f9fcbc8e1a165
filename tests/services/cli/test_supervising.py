"""A supervisor that reports: whoever waits for it may leave."""

import json
import os

from services.cli import supervising


def test_who_started_may_leave_before_the_last_report() -> None:
    reader, writer = os.pipe()
    supervising._report(writer, {"name": "edge"})
    with os.fdopen(reader) as reports:
        assert json.loads(reports.readline()) == {"name": "edge"}
    supervising._report(writer, {"name": "router"})
    os.close(writer)
