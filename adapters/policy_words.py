"""A policy's values as people say them: on the command line, in differences, in reports."""

from domain.calendar import DAY, HOUR, MINUTE, SECOND, time_of
from domain.policy import Attribute, Breaker, Cap, Condition, ContactHours, Measure, Prevention, Terms


def hours_words(hours: ContactHours | None) -> str:
    """Contact hours: "08:00-22:00", or "at any time"."""
    return f"{time_of(hours.opens)}-{time_of(hours.closes)}" if hours is not None else "at any time"


def duration_words(duration: int) -> str:
    """A duration in microseconds as the file writes it: "4h"."""
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE)):
        if duration % size == 0:
            return f"{duration // size}{unit}"
    return f"{duration // SECOND}s"


def condition_words(condition: Condition | None) -> str:
    """A rule as its author wrote it, on one line; "always" where there is none."""
    return " ".join(condition.source.split()) if condition is not None else "always"


def timing_words(measure: Measure) -> str:
    """When a plan's measure fires: "day 2 at 10:00, on business days"."""
    return f"day {measure.day} at {time_of(measure.at)}{', on business days' if measure.business_days else ''}"


def means_words(measure: Measure) -> str:
    """What a measure is and where it goes: "notify over sms, template due-soon, to messaging"."""
    said = measure.kind
    if measure.channel is not None:
        said += f" over {measure.channel}"
    if measure.template is not None:
        said += f", template {measure.template}"
    return f"{said}, to {measure.target}"


def conditions_words(measure: Measure) -> str:
    """Under what a measure stands: "if overdue >= 30000; approved by a head"; empty where under nothing."""
    said = []
    if measure.when is not None:
        said.append(f"if {condition_words(measure.when)}")
    if measure.approval is not None:
        said.append(f"approved {approval_words(measure.approval)}")
    if measure.reverse is not None:
        said.append(f"reversed by {measure.reverse}")
    return "; ".join(said)


def approval_words(role: str | None) -> str:
    """Whose approval a measure waits for: "by a head", "by an administrator", "none"."""
    if role is None:
        return "none"
    return f"by an {role}" if role[0] in "aeiou" else f"by a {role}"


def cap_words(cap: Cap | None) -> str:
    """A cap: "at most 1 a day, 2 in 7 days"; "any number" where there is none."""
    if cap is None:
        return "any number"
    limits = ((cap.per_day, "a day"), (cap.per_week, "in 7 days"), (cap.per_month, "in 30 days"))
    return "at most " + ", ".join(f"{limit} {span}" for limit, span in limits if limit is not None)


def terms_words(terms: Terms | None) -> str:
    """When is due what carries no due date: "5 days after the invoice"."""
    if terms is None:
        return "on the day of issue"
    if terms.days_after is not None:
        return f"{counted(terms.days_after, 'day')} after the invoice"
    return f"on day {terms.day_of_month} of the month"


def prevention_words(rule: Prevention) -> str:
    """When a warning goes: "when the balance falls below 10000 (again from 15000)"."""
    if rule.balance_below is not None:
        return f"when the balance falls below {rule.balance_below} (again from {rule.rearm_at})"
    return f"{counted(rule.days_before_due or 0, 'day')} before the due date"


def attribute_words(attribute: Attribute) -> str:
    """A declared attribute: "enum of A, B, C, default C"."""
    said = f"enum of {', '.join(attribute.values)}" if attribute.type == "enum" else attribute.type
    return f"{said}, default {attribute.default}" if attribute.default is not None else said


def breaker_words(breaker: Breaker | None) -> str:
    """The limits of a breaker: "20000 an hour, 5 % of the segment an hour"; "no limit" where there is none."""
    if breaker is None:
        return "no limit"
    said = []
    if breaker.per_hour is not None:
        said.append(f"{breaker.per_hour} an hour")
    if breaker.share_per_hour is not None:
        said.append(f"{breaker.share_per_hour:.4%} of the segment an hour".replace(".0000", ""))
    return ", ".join(said)


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 day", "3 days"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
