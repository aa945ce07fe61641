"""Policies as analysts might write them, for the tests to load, to break and to compare."""

from pathlib import Path
from typing import Final

import pytest

import adapters
from adapters.policy_files import PolicyError, load_policy
from domain.policy import Policy

EXAMPLES: Final = Path(adapters.__file__).parent / "policies"

MINIMAL = """
[policy]
name = "minimal"
version = 1
timezone = "Europe/Moscow"
currency = "RUB"

[[segment]]
name = "everyone"
plan = "internet"

[plans.internet]
"""

WHOLE = """
[policy]
name = "telecom"
version = 3
timezone = "Europe/Moscow"
calendar = "RU"
currency = "RUB"

[terms]
organisation = { days_after = 5 }
person = { day_of_month = 5 }

[entry]
min_overdue = 10000
[exit]
max_overdue = 0
[restore]
within = "4h"

[contact]
hours = { workday = "08:00-22:00", dayoff = "09:00-20:00" }
caps = [ { kind = "call", per_day = 1, per_week = 2, per_month = 8 },
         { kind = "notify", per_day = 2, per_week = 4, per_month = 16 } ]
parties = ["person"]

[attributes]
region = "string"
tenure_months = "integer"
revenue_class = { type = "enum", values = ["A", "B", "C"], default = "C" }

[[segment]]
name = "key-organisations"
when = 'party == "organisation" && attributes.revenue_class == "A"'
plan = "soft"

[[segment]]
name = "everyone"
plan = "internet"

[[service_segment]]
name = "north-west"
when = 'attributes.region in ["SPB", "MUR"]'
group = "nw-managers"
personal = 'attributes.revenue_class == "A"'
assign = "least-loaded"
escalate_after = "1d"

[[prevention]]
name = "balance-low"
balance_below = 10000
rearm_at = 15000
measure = { kind = "notify", channel = "sms", template = "balance-low" }

[[prevention]]
name = "due-soon"
days_before_due = 3
at = "11:00"
measure = { kind = "notify", channel = "sms", template = "due-soon" }

[[breaker]]
kind = "restrict"
per_hour = 20000
share_per_hour = 0.05

[plans.soft]

[plans.internet]
min_gap_days = 2

[[plans.internet.measure]]
name = "block-internet"
kind = "restrict"
day = 1
at = "10:30"
reverse = "unblock-internet"
confirm_within = "30m"
retries = 2
params = { speed = 512, since = 2026-01-01 }

[[plans.internet.measure]]
name = "warn-phone"
kind = "call"
channel = "autodial"
template = "phone-will-be-disconnected"
day = 10
when = 'overdue >= 30000'
cost = 6

[[plans.internet.measure]]
name = "terminate"
kind = "terminate"
day = 61
approval = "head"
business_days = true
"""


def load(folder: Path, text: str, name: str = "policy.toml") -> Policy:
    (folder / name).write_text(text, encoding="utf-8")
    return load_policy(folder / name)


def refused(path: Path) -> PolicyError:
    with pytest.raises(PolicyError) as error:
        load_policy(path)
    return error.value


def marked(text: str) -> list[int]:
    return [number for number, line in enumerate(text.splitlines(), start=1) if line.rstrip().endswith("# !")]
