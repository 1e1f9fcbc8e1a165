import shlex
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.cli.repeated_acts import commands_of

AT = datetime(2026, 11, 27, 1, 2, 3, tzinfo=UTC)


def act(
    name: str, number: int | None = 7, *, known_as: str | None = "acme first", **other: Any
) -> dict[str, Any]:
    subject = name.rpartition("_")[2]
    return {
        "act": name,
        "subject": subject,
        "number": number,
        "name": known_as,
        "at": AT,
        "outcome": "done",
    } | other


def run(*acts: dict[str, Any]) -> list[str]:
    return [line for line in commands_of(acts) if not line.startswith("#")]


def test_what_took_a_right_away_is_done_again_in_its_order() -> None:
    assert run(
        act("delete_tenant", 3, known_as="acme"),
        act("revoke_key", 9),
        act("enable_key", 8),
        act("disable_key", 8),
        act("delete_key", 7),
    ) == [
        "comptoir keys delete --missing-ok 7",
        "comptoir keys disable 8",
        "comptoir keys enable 8",
        "comptoir keys revoke 9",
        "comptoir tenants delete --missing-ok acme",
    ]


def test_a_key_that_got_another_secret_has_its_old_one_back_and_is_disabled() -> None:
    note, command = commands_of([act("rotate_key")])
    assert note.endswith("key 7 got another secret, which is lost; give its holder a new one, then enable it")
    assert command == "comptoir keys disable 7"


def test_a_key_whose_secret_was_given_up_is_not_enabled_by_an_act_that_came_later() -> None:
    lines = list(commands_of([act("enable_key"), act("disable_key"), act("rotate_key")]))
    assert [line for line in lines if not line.startswith("#")] == [
        "comptoir keys disable 7",
        "comptoir keys disable 7",
    ]
    assert lines[-1].endswith(
        "was enabled; its secret is the one given up before: give its holder a new one first"
    )
    assert run(act("enable_key", 8), act("rotate_key", 7))[-1] == "comptoir keys enable 8"
    assert run(act("rotate_key"), act("enable_key")) == ["comptoir keys enable 7", "comptoir keys disable 7"]


def test_what_the_backup_does_not_have_needs_no_command() -> None:
    assert run(act("revoke_key", known_as=None), act("delete_tenant", known_as=None)) == []
    assert list(commands_of([act("create_key", known_as=None)])) == [
        "# 2026-11-27 01:02:03 key 7 was created; make another one for its holder"
    ]
    assert list(commands_of([act("create_key")])) == []


def test_what_the_record_does_not_hold_is_left_to_people() -> None:
    assert list(commands_of([act("update_key")])) == [
        "# 2026-11-27 01:02:03 key 7 was changed; look at its limits, scopes and end"
    ]
    assert list(commands_of([act("update_key", known_as=None)])) == []


def test_what_was_refused_or_changed_nothing_is_left_out_and_what_nobody_knows_is_done_and_said() -> None:
    assert (
        list(commands_of([act("revoke_key", outcome="refused"), act("list_keys", None), act("get_key")]))
        == []
    )
    assert list(commands_of([act("revoke_key", outcome="not known")])) == [
        "# 2026-11-27 01:02:03 key 7 revoke; nobody knows whether it was done",
        "comptoir keys revoke 7",
    ]


@given(
    st.text(), st.sampled_from(["revoke_key", "delete_tenant", "rotate_key", "update_key", "create_tenant"])
)
def test_nothing_that_stands_in_a_name_or_a_label_is_run(text: str, name: str) -> None:
    lines = [shlex.split(line, comments=True) for line in commands_of([act(name, known_as=text)])]
    for words in lines:
        assert words == [] or words[:1] == ["comptoir"]
        assert len(words) in {0, 4, 5}
        assert len(words) < 5 or words[3] == "--missing-ok"


def test_what_a_key_was_before_it_was_revoked_is_left_out_as_a_router_refuses_it_of_one_that_is() -> None:
    assert run(
        act("revoke_key", 9),
        act("revoke_key", 8),
        act("enable_key", 8),
        act("rotate_key", 8),
        act("disable_key", 8),
    ) == ["comptoir keys revoke 8", "comptoir keys revoke 9"]


def test_what_was_done_to_what_was_deleted_later_is_left_out_as_a_second_run_would_stop_there() -> None:
    assert run(
        act("delete_tenant", 7, known_as="acme"),
        act("delete_key", 7),
        act("disable_tenant", 7, known_as="acme"),
        act("revoke_key", 7),
        act("update_key", 7),
        act("revoke_key", 8),
    ) == [
        "comptoir keys revoke 8",
        "comptoir keys delete --missing-ok 7",
        "comptoir tenants delete --missing-ok acme",
    ]
