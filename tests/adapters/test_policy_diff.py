"""What another policy changes, in words, and what the command line prints of one policy or of two."""

import io
from pathlib import Path

import pytest

from adapters import cli_policy
from adapters.policy_diff import diff
from tests.adapters.policy_texts import EXAMPLES, MINIMAL, WHOLE, load

PLAN = "everyone (plan internet)"


def changes(folder: Path, *edits: tuple[str, str]) -> list[str]:
    """The differences between the whole policy and the one that the edits make of it."""
    text = WHOLE
    for good, other in edits:
        assert good in text
        text = text.replace(good, other, 1)
    return diff(load(folder, WHOLE), load(folder, text, "other.toml"))


def test_a_policy_does_not_differ_from_itself(tmp_path: Path) -> None:
    assert changes(tmp_path) == []
    # Neither the order of tables nor the way in which a number is written means anything.
    assert (
        changes(tmp_path, ("[entry]\nmin_overdue = 10000\n", ""), ("[exit]", "[entry]\nmin_overdue = 10_000\n[exit]"))
        == []
    )


SENTENCES = {
    "a measure comes later": (
        ("day = 1\n", "day = 2\n"),
        f"{PLAN}: block-internet now on day 2 at 10:30, was on day 1 at 10:30",
    ),
    "a measure keeps to business days": (
        ("day = 1\n", "day = 1\nbusiness_days = true\n"),
        f"{PLAN}: block-internet now on day 1 at 10:30, on business days, was on day 1 at 10:30",
    ),
    "a measure has another condition": (
        ("'overdue >= 30000'", "'overdue >= 50000'"),
        f"{PLAN}: warn-phone condition now overdue >= 50000, was overdue >= 30000",
    ),
    "a measure is approved": (
        ('approval = "head"', 'approval = "administrator"'),
        f"{PLAN}: terminate approval now by an administrator, was by a head",
    ),
    "a measure goes elsewhere": (
        ('template = "phone-will-be-disconnected"', 'template = "phone"'),
        (
            f"{PLAN}: warn-phone now call over autodial, template phone, to messaging, "
            "was call over autodial, template phone-will-be-disconnected, to messaging"
        ),
    ),
    "a measure waits longer for its outcome": (
        ('confirm_within = "30m"', 'confirm_within = "1h"'),
        f"{PLAN}: block-internet time to confirm now 1h, was 30m",
    ),
    "a measure is tried less": (
        ("retries = 2", "retries = 1"),
        f"{PLAN}: block-internet retries now 1, was 2",
    ),
    "a measure costs less": (("cost = 6", "cost = 5.5"), f"{PLAN}: warn-phone cost now 5.5, was 6"),
    "a measure is added": (
        (
            "[plans.soft]",
            '[plans.soft]\n[[plans.soft.measure]]\nname = "call"\nkind = "task"\nday = 5\nwhen = "debt > 1"',
        ),
        "key-organisations (plan soft): new measure call, task, to crm, on day 5 at 10:00, if debt > 1",
    ),
    "a plan gets slower": (("min_gap_days = 2", "min_gap_days = 3"), f"{PLAN}: days between measures now 3, was 2"),
    "a segment takes others": (
        ('party == "organisation" && ', ""),
        (
            'segment key-organisations: now whoever attributes.revenue_class == "A", '
            'was whoever party == "organisation" && attributes.revenue_class == "A"'
        ),
    ),
    "a segment has another plan": (
        ('plan = "soft"', 'plan = "internet"'),
        "segment key-organisations: plan now internet, was soft",
    ),
    "a segment is new": (
        (
            '[[segment]]\nname = "everyone"',
            '[[segment]]\nname = "p"\nwhen = "party == \'person\'"\nplan = "soft"\n[[segment]]\nname = "everyone"',
        ),
        "new segment p: plan soft, whoever party == 'person'",
    ),
    "a service segment has another group": (
        ('group = "nw-managers"', 'group = "north"'),
        "service segment north-west: group now north, was nw-managers",
    ),
    "fewer have a personal manager": (
        ("personal = 'attributes.revenue_class == \"A\"'\n", ""),
        'service segment north-west: personal managers now for nobody, was for whoever attributes.revenue_class == "A"',
    ),
    "a threshold moves": (
        ("rearm_at = 15000", "rearm_at = 20000"),
        (
            "prevention balance-low: now when the balance falls below 10000 (again from 20000), "
            "was when the balance falls below 10000 (again from 15000)"
        ),
    ),
    "a reminder comes at another time": (('at = "11:00"', 'at = "12:00"'), "prevention due-soon: now 12:00, was 11:00"),
    "contact hours shrink": (
        ('"08:00-22:00"', '"09:00-21:00"'),
        "contact: hours of working days now 09:00-21:00, was 08:00-22:00",
    ),
    "a cap is lifted": (
        (',\n         { kind = "notify", per_day = 2, per_week = 4, per_month = 16 }', ""),
        "contact by notify now any number, was at most 2 a day, 4 in 7 days, 16 in 30 days",
    ),
    "organisations are protected": (
        ('parties = ["person"]', 'parties = ["person", "organisation"]'),
        "contact: protected parties now organisation, person, was person",
    ),
    "invoices fall due later": (
        ("days_after = 5", "days_after = 1"),
        "organisation: due now 1 day after the invoice, was 5 days after the invoice",
    ),
    "smaller debts are worked": (
        ("min_overdue = 10000", "min_overdue = 500"),
        "everyone: least overdue that opens a run now 500, was 10000",
    ),
    "runs end earlier": (
        ("max_overdue = 0", "max_overdue = 99"),
        "everyone: overdue at which a run ends now 99, was 0",
    ),
    "services are missed sooner": (
        ('"4h"', '"90m"'),
        "everyone: time to restore a service now 90m, was 4h",
    ),
    "holidays are others'": (('"RU"', '"KZ"'), "everyone: calendar now KZ, was RU"),
    "an attribute is new": (('region = "string"', 'region = "string"\nvip = "boolean"'), "new attribute vip: boolean"),
    "an attribute has another default": (
        ('default = "C"', 'default = "B"'),
        "attribute revenue_class: now enum of A, B, C, default B, was enum of A, B, C, default C",
    ),
    "a breaker is looser": (
        ("per_hour = 20000\n", ""),
        (
            "each segment: limit of restrict commands now 5% of the segment an hour, "
            "was 20000 an hour, 5% of the segment an hour"
        ),
    ),
    "the version goes up": (("version = 3", "version = 4"), "policy: now telecom version 4, was telecom version 3"),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_each_change_is_one_sentence(tmp_path: Path, case: str) -> None:
    edit, expected = SENTENCES[case]
    assert changes(tmp_path, edit) == [expected]


def test_measures_that_change_places_are_said_to(tmp_path: Path) -> None:
    edits = (
        ('name = "block-internet"', 'name = "x"'),
        ('name = "warn-phone"', 'name = "block-internet"'),
        ('"x"', '"warn-phone"'),
    )
    sentences = changes(tmp_path, *edits)
    order = "order of measures now warn-phone, block-internet, terminate"
    assert f"{PLAN}: {order}, was block-internet, warn-phone, terminate" in sentences


def test_what_is_gone_is_said_to_be(tmp_path: Path) -> None:
    sentences = diff(load(tmp_path, WHOLE), load(tmp_path, MINIMAL.replace('"everyone"', '"all"'), "minimal.toml"))
    for each in (
        "attribute region is gone",
        "segment everyone is gone (plan internet, everyone who is left)",
        "service segment north-west is gone (group nw-managers)",
        "prevention due-soon is gone (3 days before the due date)",
        "key-organisations (plan soft): the plan is gone",
        "all (plan internet): terminate is gone, was terminate on day 61 at 10:00, on business days",
    ):
        assert each in sentences


def test_managers_come_and_go(tmp_path: Path) -> None:
    before = load(tmp_path, MINIMAL)
    (tmp_path / "managers.toml").write_text('[[manager]]\nid = "a"\nrole = "head"\ngroups = ["x"]\n', encoding="utf-8")
    head = load(tmp_path, MINIMAL)
    text = '[[manager]]\nid = "a"\nrole = "specialist"\naway = ["2026-01-01"]\n[[manager]]\nid = "b"\nrole = "head"\n'
    (tmp_path / "managers.toml").write_text(text, encoding="utf-8")
    both = load(tmp_path, MINIMAL)
    assert diff(before, head) == ["managers are named now: actors are checked"]
    assert diff(head, both) == [
        "manager a: role now specialist, was head",
        "manager a: groups now none, was x",
        "manager a: away on other days",
        "new manager b: head, groups none",
    ]


def test_check_prints_the_whole_policy_on_one_screen() -> None:
    out, err = io.StringIO(), io.StringIO()
    assert cli_policy.check(EXAMPLES / "telecom", out, err) == 0
    assert err.getvalue() == ""
    text = out.getvalue()
    assert text.startswith("telecom, version 1: Europe/Moscow, days off of RU, RUB\n")
    for each in ("key-organisations", "north-west", "balance-low", "Plan internet", "block-internet", "9 managers"):
        assert each in text
    assert len(text.splitlines()) < 50


def test_check_prints_every_fault_on_a_line_and_fails(tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("[policy]\nname = 1\n", encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    assert cli_policy.check(tmp_path / "policy.toml", out, err) == 2
    assert out.getvalue() == ""
    assert f"{tmp_path}/policy.toml:2: [policy]: name must be a string, not 1\n" in err.getvalue()


def test_diff_prints_sentences_or_nothing() -> None:
    out = io.StringIO()
    assert cli_policy.diff(EXAMPLES / "telecom", EXAMPLES / "telecom", out) == 0
    assert out.getvalue() == ""
    assert cli_policy.diff(EXAMPLES / "telecom", EXAMPLES / "fz230", out) == 0
    assert "persons (plan by-the-law): a new plan of 8 measures\n" in out.getvalue()


def test_diff_says_what_is_wrong_with_both(tmp_path: Path) -> None:
    err = io.StringIO()
    assert cli_policy.diff(tmp_path / "a.toml", tmp_path / "b.toml", io.StringIO(), err) == 2
    assert "a.toml:1: no such file" in err.getvalue()
    assert "b.toml:1: no such file" in err.getvalue()
