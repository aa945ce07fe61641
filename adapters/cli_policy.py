"""`dms policy check` and `dms policy diff`: plain text out, and the exit status."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from adapters import policy_words as words
from adapters.policy_diff import diff as differences
from adapters.policy_files import PolicyError, load_policy
from domain.calendar import time_of
from domain.policy import Plan, Policy

FINE = 0
WRONG = 2


def check(path: Path, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Prints a summary of the policy at ``path``, or what is wrong with it and where; returns the exit status."""
    policy = _loaded(path, err or sys.stderr)
    if policy is None:
        return WRONG
    for line in _summary(policy):
        print(line, file=out or sys.stdout)
    return FINE


def diff(a: Path, b: Path, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Prints a sentence for each difference of two policies, none where there is none; returns the exit status."""
    before, after = (_loaded(path, err or sys.stderr) for path in (a, b))
    if before is None or after is None:
        return WRONG
    for sentence in differences(before, after):
        print(sentence, file=out or sys.stdout)
    return FINE


def _loaded(path: Path, err: TextIO) -> Policy | None:
    try:
        return load_policy(path)
    except PolicyError as error:
        print(error, file=err)
        return None


def _summary(policy: Policy) -> Iterator[str]:
    country = policy.calendar.country
    days_off = f"days off of {country}" if country is not None else "days off on weekends"
    yield f"{policy.name}, version {policy.version}: {policy.zone.name}, {days_off}, {policy.currency}"
    yield f"A run opens from an overdue of {policy.min_overdue} and ends at {policy.max_overdue}."
    yield from _contact(policy)
    yield ""
    yield "Segments, the first that is true:"
    yield from _columns(
        [(each.name, f"plan {each.plan}", words.condition_words(each.when)) for each in policy.segments]
    )
    if policy.service_segments:
        yield ""
        yield "Service segments, the first that is true:"
        yield from _columns(
            [(each.name, each.group, each.assign, words.condition_words(each.when)) for each in policy.service_segments]
        )
    if policy.preventions:
        yield ""
        yield "Before anything is overdue:"
        yield from _columns(
            [
                (
                    each.name,
                    words.means_words(each.measure),
                    words.prevention_words(each),
                    time_of(each.measure.at),
                )
                for each in policy.preventions
            ]
        )
    for plan in policy.plans.values():
        yield ""
        yield from _plan(plan)
    if policy.managers is not None:
        yield ""
        yield f"{words.counted(len(policy.managers), 'manager')} in managers.toml."


def _contact(policy: Policy) -> Iterator[str]:
    rules = policy.contact
    if rules.workday is not None or rules.dayoff is not None:
        hours = f"{words.hours_words(rules.workday)} on working days, {words.hours_words(rules.dayoff)} on days off"
        yield f"Contact of {' and '.join(sorted(rules.parties))}: {hours}."
    for cap in rules.caps:
        yield f"Contact by {cap.kind}: {words.cap_words(cap)}."


def _plan(plan: Plan) -> Iterator[str]:
    gap = words.counted(plan.min_gap_days, "day")
    yield f"Plan {plan.name}, {gap} or more between measures:" if plan.measures else f"Plan {plan.name}: no measures."
    yield from _columns(
        [
            (each.name, words.timing_words(each), words.means_words(each), words.conditions_words(each))
            for each in plan.measures
        ]
    )


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows indented, each column as wide as its widest cell."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
