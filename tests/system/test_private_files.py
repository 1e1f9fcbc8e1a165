"""What a stack leaves on the disk is its owner's only, and no memory of its processes gets there."""

import os
import resource
from pathlib import Path

import psutil
import pytest

from tests.system.stack_process import Stack, request_id_of

pytestmark = [pytest.mark.system, pytest.mark.guarantee]


def test_nobody_but_the_owner_reads_a_file_of_the_stack(stack: Stack) -> None:
    with stack.client() as client:
        answer = client.chat.completions.with_raw_response.create(
            model=stack.model, messages=[{"role": "user", "content": "Bonjour"}], max_tokens=4
        )
    request_id = answer.headers["x-request-id"]
    assert request_id_of(stack.row_of("generations", request_id)) == request_id
    seen = 0
    for folder, folders, files in os.walk(stack.data_dir):
        for path in (Path(folder) / name for name in (*folders, *files)):
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:  # merged or rolled away meanwhile
                continue
            assert mode & 0o077 == 0 or path.is_symlink(), f"{path.name} of {folder} is open to others"
            seen += 1
    assert seen > 50
    assert list(stack.data_dir.glob("kafka/**/*.log"))


def test_no_process_of_the_stack_can_leave_a_core_dump(stack: Stack) -> None:
    for entry in stack.status()["processes"]:
        limit = psutil.Process(entry["pid"]).rlimit(resource.RLIMIT_CORE)
        assert limit == (0, 0), entry["name"]
