"""Every way in which a policy is refused at load, with the line that is complained about.

In the texts of wrong policies a comment `# !` marks the lines that must be complained about, and no others.
"""

import re
from pathlib import Path

import pytest

from adapters.policy_files import load_policy
from tests.adapters.policy_texts import MINIMAL, WHOLE, marked, refused

HOURS = 'hours = { workday = "08:00-22:00", dayoff = "09:00-20:00" }'

# What to replace in the whole policy, by what, and a piece of the complaint. The mark says on which lines.
WRONG = {
    "a plan whose day decreases": ("day = 10", "day = 0  # !", "day 0 comes after day 1"),
    "a maximum that is not under the minimum": ("max_overdue = 0", "max_overdue = 10000  # !", "not under"),
    "a minimum that the default maximum is not under": (
        "min_overdue = 10000\n[exit]\nmax_overdue = 0",
        "min_overdue = 0  # !",
        "not under",
    ),
    "a contact outside the hours of every day": (
        'template = "phone-will-be-disconnected"',
        'template = "x"\nat = "22:00"  # !',
        "outside the contact hours of every day (08:00-22:00 and 09:00-20:00)",
    ),
    "a prevention outside the hours of every day": ('at = "11:00"', 'at = "07:59"  # !', "outside the contact hours"),
    "a segment after the one without a rule": (
        "[[service_segment]]",
        '[[segment]]  # !\nname = "late"\nplan = "soft"\n[[service_segment]]',
        'stands after segment "everyone"',
    ),
    "a last segment that leaves somebody out": (
        'name = "everyone"',
        'name = "everyone"\nwhen = "party == \'person\'"  # !',
        "the last segment must take everyone",
    ),
    "two segments of one name": ('name = "everyone"', 'name = "key-organisations"  # !', "there is another name"),
    "two measures of one name in a plan": ('name = "warn-phone"', 'name = "block-internet"  # !', "another measure"),
    "two preventions of one name": ('name = "due-soon"', 'name = "balance-low"  # !', "another prevention"),
    "a plan that does not exist": ('plan = "soft"', 'plan = "sofd"  # !', "did you mean soft?"),
    "a segment of a breaker that does not exist": (
        'kind = "restrict"\nper_hour',
        'kind = "restrict"\nsegment = "all"  # !\nper_hour',
        'there is no segment "all"',
    ),
    "an attribute that does not exist, in a segment": (
        'when = \'party == "organisation" && attributes.revenue_class == "A"\'',
        "when = 'attributes.revenue_clas == \"A\"'  # !",
        "did you mean revenue_class?",
    ),
    "an attribute that does not exist, in a measure": (
        "when = 'overdue >= 30000'",
        "when = 'has(attributes.zone)'  # !",
        'unknown attribute "zone"',
    ),
    "an attribute that does not exist, for personal managers": (
        "personal = 'attributes.revenue_class == \"A\"'",
        "personal = 'attributes.x'  # !",
        'unknown attribute "x"',
    ),
    "a fact of the debt in a segment": (
        'when = \'attributes.region in ["SPB", "MUR"]\'',
        "when = 'overdue > 1'  # !",
        'unknown name "overdue"',
    ),
    "an expression that is none": ("when = 'overdue >= 30000'", "when = 'overdue >='  # !", "not an expression"),
    "an expression that fails on a trial": ("'overdue >= 30000'", "'overdue > \"x\"'  # !", "do not go together"),
    "an expression that is not true or false": ("'overdue >= 30000'", "'overdue'  # !", "neither true nor false"),
    "a reverse of what takes nothing away": (
        'channel = "autodial"',
        'channel = "autodial"\nreverse = "hang-up"  # !',
        "a measure of kind call has no reverse",
    ),
    "an approval of an unknown role": ('approval = "head"', 'approval = "specialist"  # !', "approval must be one of"),
    "a prevention with both conditions": (
        '[[prevention]]\nname = "due-soon"',
        '[[prevention]]  # !\nbalance_below = 1\nname = "due-soon"',
        "needs one of balance_below, days_before_due",
    ),
    "a prevention with neither condition": (
        '[[prevention]]\nname = "due-soon"\ndays_before_due = 3',
        '[[prevention]]  # !\nname = "due-soon"',
        "needs one of balance_below, days_before_due",
    ),
    "a threshold that arms below where it fires": ("rearm_at = 15000", "rearm_at = 9999  # !", "below balance_below"),
    "an arming without a threshold": ("days_before_due = 3", "days_before_due = 3\nrearm_at = 1  # !", "belongs to"),
    "a prevention with two times": (
        'template = "due-soon" }',
        'template = "due-soon", at = "12:00" }  # !',
        "stands with the rule already",
    ),
    "a prevention that takes something away": (
        'measure = { kind = "notify", channel = "sms", template = "due-soon" }',
        'measure = { kind = "restrict" }  # !',
        "kind must be one of call, notify, task",
    ),
    "a default of another type": (
        'tenure_months = "integer"',
        'tenure_months = { type = "integer", default = true }  # !',
        "type integer",
    ),
    "a default that is no value": ('default = "C" }', 'default = "D" }  # !', "one of its values (A, B, C)"),
    "an enumeration without values": ('region = "string"', 'region = "enum"  # !', "needs its values"),
    "an unknown type": ('region = "string"', 'region = "strin"  # !', "did you mean string?"),
    "an unknown key": ("min_gap_days = 2", "min_gap_day = 2  # !", "did you mean min_gap_days?"),
    "an unknown table": ("[restore]", "[restores]  # !", "did you mean restore?"),
    "a boolean where an integer should be": ("version = 3", "version = true  # !", "must be an integer, not true"),
    "a string where an integer should be": ("day = 61", 'day = "61"  # !', "without quotes"),
    "a number where a string should be": ('name = "warn-phone"', "name = 5  # !", "name must be a string, not 5"),
    "a negative day": ("day = 1\n", "day = -1  # !\n", "day must be at least 0, not -1"),
    "negative retries": ("retries = 2", "retries = -2  # !", "retries must be at least 0"),
    "a negative cost": ("cost = 6", "cost = -6  # !", "cost must be between 0"),
    "a cost that is no number": ("cost = 6", "cost = nan  # !", "cost must be between 0"),
    "a negative cap": ("per_day = 2, per_week = 4, per_month = 16 } ]", "per_day = -2 } ]  # !", "at least 0"),
    "a cap on what is no contact": (
        '{ kind = "notify", per_day = 2, per_week = 4, per_month = 16 } ]',
        '{ kind = "task", per_day = 2 } ]  # !',
        "one of call, notify, visit",
    ),
    "a cap without a limit": (
        '{ kind = "call", per_day = 1, per_week = 2, per_month = 8 },',
        '{ kind = "call" },  # !',
        "at least one of per_day",
    ),
    "an unknown kind": ('kind = "terminate"', 'kind = "terminat"  # !', "did you mean terminate?"),
    "an unknown channel": (
        'channel = "sms", template = "due-soon" }',
        'channel = "fax", template = "x" }  # !',
        "channel must be one of",
    ),
    "an unknown way to assign": (
        'assign = "least-loaded"',
        'assign = "least_loaded"  # !',
        "did you mean least-loaded?",
    ),
    "an unknown party": ('parties = ["person"]', 'parties = ["persons"]  # !', "did you mean person?"),
    "an unknown timezone": ('"Europe/Moscow"', '"Europe/Moskva"  # !', "unknown timezone"),
    "a folder for a timezone": ('"Europe/Moscow"', '"Europe"  # !', "unknown timezone"),
    "an unknown country": ('calendar = "RU"', 'calendar = "XX"  # !', "there is no calendar"),
    "a currency that is no code": ('currency = "RUB"', 'currency = "rubles"  # !', "ISO 4217"),
    "a duration in words": ('"4h"', '"4 hours"  # !', "must be a duration"),
    "a duration of nothing": ('"4h"', '"0h"  # !', "must be a duration"),
    "a time of day that is none": ('at = "10:30"', 'at = "24:00"  # !', "must be a time of day"),
    "a time of day without quotes": ('at = "10:30"', "at = 10:30:00  # !", "in quotes"),
    "hours that end before they begin": (
        HOURS,
        'hours = { workday = "22:00-08:00", dayoff = "09:00-20:00" }  # !',
        "hours of one day",
    ),
    "hours of one kind of day only": (HOURS, 'hours = { workday = "08:00-22:00" }  # !', "dayoff is missing"),
    "terms of both kinds": ("{ days_after = 5 }", "{ days_after = 5, day_of_month = 1 }  # !", "needs one of"),
    "a day of the month that no month has": ("day_of_month = 5 }", "day_of_month = 32 }  # !", "at most 31"),
    "a name that breaks routing keys": ('name = "warn-phone"', 'name = "warn.phone"  # !', "letters, digits"),
    "a parameter that cannot be sent": (
        "params = { speed = 512, since = 2026-01-01 }",
        "params = { speed = inf }  # !",
        "cannot be sent",
    ),
    "a table in place of an array of tables": ("[[breaker]]", "[breaker]  # !", "write [[breaker]]"),
    "a measure without its day": (
        '[[plans.internet.measure]]\nname = "terminate"\nkind = "terminate"\nday = 61',
        '[[plans.internet.measure]]  # !\nname = "terminate"\nkind = "terminate"',
        "day is missing",
    ),
    "a share above the whole": ("share_per_hour = 0.05", "share_per_hour = 5  # !", "between 0 and 1"),
    "text that is no TOML": ("min_gap_days = 2", "min_gap_days 2  # !", "not TOML"),
    "a key given twice": ("min_gap_days = 2", "min_gap_days = 2\nmin_gap_days = 3  # !", "not TOML"),
    "a number of too many digits": ("min_gap_days = 2", f"min_gap_days = 1{'0' * 5000}  # !", "too many digits"),
    "a number of too many bits": ("min_gap_days = 2", f"min_gap_days = 0x{'f' * 5000}  # !", "beyond 64 bits"),
    "arrays in arrays in arrays": ("min_gap_days = 2", f"min_gap_days = {'[' * 99}{']' * 99}  # !", "nested deeper"),
    "a key of a thousand parts": ("min_gap_days = 2", f"{'a.' * 999}a = 2  # !", "nested deeper"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_policy_is_refused_with_the_line_and_the_reason(tmp_path: Path, case: str) -> None:
    good, bad, complaint = WRONG[case]
    assert WHOLE.count(good) >= 1, "the case replaces something"
    text = WHOLE.replace(good, bad, 1)
    (tmp_path / "policy.toml").write_text(text, encoding="utf-8")
    error = refused(tmp_path / "policy.toml")
    assert sorted({fault.line for fault in error.faults}) == marked(text), str(error)
    assert complaint in str(error)
    assert re.fullmatch(r".*policy\.toml:\d+: .+", str(error).splitlines()[0])


def test_a_contact_on_business_days_after_their_hours_is_refused_since_it_could_never_go(tmp_path: Path) -> None:
    text = (
        MINIMAL.replace(
            "[[segment]]", '[contact]\nhours = { workday = "08:00-18:00", dayoff = "09:00-20:00" }\n[[segment]]'
        )
        + '[[plans.internet.measure]]\nname = "ring"\nkind = "call"\nday = 1\nat = "19:00"  # !\nbusiness_days = true\n'
    )
    (tmp_path / "policy.toml").write_text(text, encoding="utf-8")
    error = refused(tmp_path / "policy.toml")
    assert [fault.line for fault in error.faults] == marked(text)
    assert "at 19:00 is after the contact hours of every business day (08:00-18:00)" in str(error)
    (tmp_path / "policy.toml").write_text(text.replace("business_days = true", ""), encoding="utf-8")
    assert load_policy(tmp_path / "policy.toml").plans["internet"].measures[0].name == "ring"


def test_every_fault_is_reported_not_only_the_first(tmp_path: Path) -> None:
    text = """
[policy]  # !
version = "1"  # !
timezone = "Mars/Olympus"  # !
currency = "RUB"
[entry]
min_overdue = -5  # !
[[segment]]
name = "a"
when = 'overdue > 1'  # !
plan = "b"  # !
[[segment]]
name = "a"  # !
plan = "p"
[plans.p]
[[plans.p.measure]]
name = "m"
kind = "call"
day = 3
retries = -1  # !
[[plans.p.measure]]
name = "m"  # !
kind = "call"
day = 2  # !
colour = "red"  # !
"""
    (tmp_path / "policy.toml").write_text(text, encoding="utf-8")
    assert [fault.line for fault in refused(tmp_path).faults] == marked(text)


def test_lines_are_right_after_long_strings_inline_tables_and_dotted_keys(tmp_path: Path) -> None:
    text = (
        MINIMAL
        + """
[[plans.internet.measure]]
name = "letter"
kind = "notify"
template = '''
[policy]
# a comment that is none
'''
params.first = \"\"\"
x = [ \\\"\"\"
\"\"\"
params.second.third = { a = [1,
  2, { b = inf } ], c = 1 }  # !
day = -1  # !
"""
    )
    (tmp_path / "policy.toml").write_text(text, encoding="utf-8")
    lines = [fault.line for fault in refused(tmp_path).faults]
    assert lines[-1] == marked(text)[-1]
    assert lines[0] in range(marked(text)[0] - 1, marked(text)[0] + 1)
