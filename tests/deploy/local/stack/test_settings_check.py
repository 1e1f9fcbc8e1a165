"""Settings that a process could not use are said before anything starts, in the words of who wrote them."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from deploy.local.stack.config import build_config
from deploy.local.stack.errors import StackError
from deploy.local.stack.options import Addresses, StackOptions
from deploy.local.stack.paths import DataPaths
from deploy.local.stack.plan import Probe, ProcessPlan, build_plan
from deploy.local.stack.private_files import replace_private
from deploy.local.stack.secret_files import create_secrets
from deploy.local.stack.settings_check import check_settings, is_worth_checking
from tests.deploy.local.stack.children import is_gone
from tests.system.stack_process import eventually


def plan_of(*scripts: str) -> list[ProcessPlan]:
    return [
        ProcessPlan("edge", "edge", (sys.executable, "-I", "-S", "-c", script), Probe("file", "/none"))
        for script in scripts
    ]


def options(**overrides: object) -> StackOptions:
    return StackOptions(
        Path("/d"), overrides=dict(overrides), overrides_file="mine.yaml" if overrides else ""
    )


def complains(words: str) -> str:
    return f"import sys; assert sys.argv[-1] == '--check'; print({words!r}, file=sys.stderr); sys.exit(2)"


async def test_every_complaint_is_said_and_names_the_file_that_a_person_wrote() -> None:
    plan = plan_of(
        complains("comptoir usage: comptoir.yaml, section usage: retention_days: must be 7 or more."),
        "pass",
        complains("comptoir edge: comptoir.yaml has an unknown key: edgee."),
        complains("comptoir router: comptoir.yaml has an unknown key: edgee."),
        complains("comptoir edge: comptoir.yaml, section edge: region: is unknown."),
        complains("comptoir router: comptoir.yaml, section router: region: is unknown."),
    )
    with pytest.raises(StackError) as refused:
        await check_settings(plan, options(usage={"retention_days": 3}), {})
    assert str(refused.value).splitlines() == [
        "mine.yaml, section usage: retention_days: must be 7 or more.",
        "  mine.yaml has an unknown key: edgee.",
        "  mine.yaml: region: is unknown.",
    ]


async def test_a_process_that_fails_without_a_word_is_named() -> None:
    with pytest.raises(StackError, match="edge cannot read its settings"):
        await check_settings(plan_of("raise SystemExit(1)"), options(), {})


async def test_a_check_that_is_given_up_leaves_no_process(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    script = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    checking = asyncio.create_task(check_settings(plan_of(script), options(), {}))
    pid = await asyncio.to_thread(eventually, lambda: note.exists() and note.read_text(), bool, 20)
    checking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await checking
    assert is_gone(int(pid))


def test_only_what_a_person_changed_is_worth_the_time() -> None:
    assert not is_worth_checking(options(), {"HOME": "/", "COMPTOIR_API_KEY": "cptr_x"})
    assert is_worth_checking(options(usage={}), {})
    assert is_worth_checking(options(), {"COMPTOIR_USAGE__RETENTION_DAYS": "3"})
    assert is_worth_checking(options(), {"COMPTOIR_LOG_LEVEL": "debug"})


@pytest.mark.system
async def test_the_real_processes_judge_the_real_settings(tmp_path: Path) -> None:
    paths = DataPaths(tmp_path)
    paths.create()
    create_secrets(paths)
    overrides = {"usage": {"retention_days": 3}, "emitter": {"kafka": {"tls": {}}}}
    bad = StackOptions(paths.root, engine="simulated", overrides=overrides, overrides_file="mine.yaml")
    good = replace(bad, overrides={})
    addresses = Addresses(8400)
    plan = build_plan(good, addresses, paths)
    replace_private(paths.config, yaml.safe_dump(build_config(good, addresses, paths)))
    await check_settings(plan, good, {})
    replace_private(paths.config, yaml.safe_dump(build_config(bad, addresses, paths)))
    with pytest.raises(StackError) as refused:
        await check_settings(plan, bad, {})
    first, second = str(refused.value).splitlines()
    assert "mine.yaml, section emitter: kafka.tls.certificate_file: " in first
    assert "mine.yaml, section usage: retention_days: " in second
