"""What another policy changes, and for whom: one sentence for each change, in the order of a policy file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol, TypeVar

from adapters import policy_words as words
from domain.calendar import time_of
from domain.policy import Measure, Plan, Policy, Segment, ServiceSegment


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)
T = TypeVar("T")


def diff(a: Policy, b: Policy) -> list[str]:
    """The sentences that say what changes from ``a`` to ``b``; none where they say the same.

    Two policies that differ in their order of tables only, where order means nothing, say the same.
    """
    return [
        *_header(a, b),
        *_entry(a, b),
        *_contact(a, b),
        *_attributes(a, b),
        *_segments(a, b),
        *_service_segments(a, b),
        *_preventions(a, b),
        *_plans(a, b),
        *_breakers(a, b),
        *_managers(a, b),
    ]


def _changed(what: str, now: T, was: T, said: Callable[[T], object] = str) -> Iterator[str]:
    if said(now) != said(was):
        yield f"{what} now {said(now)}, was {said(was)}"


def _gone(was: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    return [name for name in was if name not in now]


def _header(a: Policy, b: Policy) -> Iterator[str]:
    if (a.name, a.version) != (b.name, b.version):
        yield f"policy: now {b.name} version {b.version}, was {a.name} version {a.version}"
    yield from _changed("everyone: timezone", b.zone.name, a.zone.name)
    was, now = (
        str(policy.calendar.country) if policy.calendar.country is not None else "Saturdays and Sundays"
        for policy in (a, b)
    )
    yield from _changed("everyone: calendar", now, was)
    yield from _changed("everyone: currency", b.currency, a.currency)


def _entry(a: Policy, b: Policy) -> Iterator[str]:
    for party in sorted(a.terms.keys() | b.terms.keys()):
        yield from _changed(f"{party}: due", b.terms.get(party), a.terms.get(party), words.terms_words)
    yield from _changed("everyone: least overdue that opens a run", b.min_overdue, a.min_overdue)
    yield from _changed("everyone: overdue at which a run ends", b.max_overdue, a.max_overdue)
    what = "everyone: time to restore a service"
    yield from _changed(what, b.restore_within, a.restore_within, _limit)


def _contact(a: Policy, b: Policy) -> Iterator[str]:
    was, now = a.contact, b.contact
    yield from _changed("contact: hours of working days", now.workday, was.workday, words.hours_words)
    yield from _changed("contact: hours of days off", now.dayoff, was.dayoff, words.hours_words)
    caps_now = {cap.kind: cap for cap in now.caps}
    caps_was = {cap.kind: cap for cap in was.caps}
    for kind in sorted(caps_now.keys() | caps_was.keys()):
        yield from _changed(f"contact by {kind}", caps_now.get(kind), caps_was.get(kind), words.cap_words)
    yield from _changed("contact: protected parties", now.parties, was.parties, _listed)


def _attributes(a: Policy, b: Policy) -> Iterator[str]:
    for name in _gone(a.attributes, b.attributes):
        yield f"attribute {name} is gone"
    for name, now in b.attributes.items():
        if name not in a.attributes:
            yield f"new attribute {name}: {words.attribute_words(now)}"
        else:
            yield from _changed(f"attribute {name}:", now, a.attributes[name], words.attribute_words)


def _segments(a: Policy, b: Policy) -> Iterator[str]:
    was = {segment.name: segment for segment in a.segments}
    for segment in a.segments:
        if segment.name not in {each.name for each in b.segments}:
            yield f"segment {segment.name} is gone (plan {segment.plan}, {_rule_words(segment)})"
    for segment in b.segments:
        before = was.get(segment.name)
        if before is None:
            yield f"new segment {segment.name}: plan {segment.plan}, {_rule_words(segment)}"
            continue
        yield from _changed(f"segment {segment.name}: plan", segment.plan, before.plan)
        yield from _changed(f"segment {segment.name}:", _rule_words(segment), _rule_words(before))
    yield from _reordered("order of segments", a.segments, b.segments)


def _rule_words(segment: Segment | ServiceSegment) -> str:
    return f"whoever {words.condition_words(segment.when)}" if segment.when is not None else "everyone who is left"


def _reordered(what: str, was: Sequence[N], now: Sequence[N]) -> Iterator[str]:
    """A sentence where what both have comes in another order."""
    names_was, names_now = ([each.name for each in given] for given in (was, now))
    common = set(names_was).intersection(names_now)
    before, after = ([name for name in names if name in common] for names in (names_was, names_now))
    yield from _changed(what, after, before, ", ".join)


def _service_segments(a: Policy, b: Policy) -> Iterator[str]:
    was = {segment.name: segment for segment in a.service_segments}
    now = {segment.name: segment for segment in b.service_segments}
    for name in _gone(was, now):
        yield f"service segment {name} is gone (group {was[name].group})"
    for name, segment in now.items():
        before = was.get(name)
        if before is None:
            yield f"new service segment {name}: group {segment.group}, {_rule_words(segment)}"
            continue
        what = f"service segment {name}:"
        yield from _changed(what, _rule_words(segment), _rule_words(before))
        yield from _changed(f"{what} group", segment.group, before.group)
        yield from _changed(f"{what} personal managers", segment, before, _personal)
        yield from _changed(f"{what} assignment", segment.assign, before.assign)
        yield from _changed(f"{what} escalation", segment.escalate_after, before.escalate_after, _after)
    yield from _reordered("order of service segments", a.service_segments, b.service_segments)


def _personal(segment: ServiceSegment) -> str:
    return f"for whoever {words.condition_words(segment.personal)}" if segment.personal is not None else "for nobody"


def _after(duration: int | None) -> str:
    return f"after {words.duration_words(duration)}" if duration is not None else "never"


def _preventions(a: Policy, b: Policy) -> Iterator[str]:
    was = {rule.name: rule for rule in a.preventions}
    now = {rule.name: rule for rule in b.preventions}
    for name in _gone(was, now):
        yield f"prevention {name} is gone ({words.prevention_words(was[name])})"
    for name, rule in now.items():
        if name not in was:
            yield f"new prevention {name}: {words.means_words(rule.measure)}, {words.prevention_words(rule)}"
            continue
        yield from _changed(f"prevention {name}:", rule, was[name], words.prevention_words)
        yield from _measure(f"prevention {name}:", was[name].measure, rule.measure, _at_words)


def _at_words(measure: Measure) -> str:
    return time_of(measure.at)


def _plans(a: Policy, b: Policy) -> Iterator[str]:
    for name in _gone(a.plans, b.plans):
        yield f"{_worked(a, name)}: the plan is gone"
    for name, now in b.plans.items():
        if name in a.plans:
            yield from _plan(_worked(b, name), a.plans[name], now)
        else:
            yield f"{_worked(b, name)}: a new plan of {words.counted(len(now.measures), 'measure')}"
            yield from _plan(_worked(b, name), Plan(name=name, measures=(), min_gap_days=now.min_gap_days), now)


def _worked(policy: Policy, plan: str) -> str:
    """Whom a plan works: "everyone (plan internet)"."""
    segments = [segment.name for segment in policy.segments if segment.plan == plan]
    return f"{', '.join(segments) or 'nobody by rule'} (plan {plan})"


def _plan(whom: str, a: Plan, b: Plan) -> Iterator[str]:
    yield from _changed(f"{whom}: days between measures", b.min_gap_days, a.min_gap_days)
    was = {measure.name: measure for measure in a.measures}
    names = {measure.name for measure in b.measures}
    for measure in a.measures:
        if measure.name not in names:
            yield f"{whom}: {measure.name} is gone, was {measure.kind} on {words.timing_words(measure)}"
    for measure in b.measures:
        if measure.name in was:
            yield from _measure(f"{whom}: {measure.name}", was[measure.name], measure, _on_words)
        else:
            yield f"{whom}: new measure {measure.name}, {_described(measure)}"
    yield from _reordered(f"{whom}: order of measures", a.measures, b.measures)


def _on_words(measure: Measure) -> str:
    return f"on {words.timing_words(measure)}"


def _described(measure: Measure) -> str:
    under = words.conditions_words(measure)
    return f"{words.means_words(measure)}, on {words.timing_words(measure)}{f', {under}' if under else ''}"


def _measure(what: str, a: Measure, b: Measure, timing: Callable[[Measure], str]) -> Iterator[str]:
    yield from _changed(what, timing(b), timing(a))
    yield from _changed(what, words.means_words(b), words.means_words(a))
    yield from _changed(f"{what} condition", words.condition_words(b.when), words.condition_words(a.when))
    yield from _changed(f"{what} approval", words.approval_words(b.approval), words.approval_words(a.approval))
    yield from _changed(f"{what} reversal", b.reverse or "none", a.reverse or "none")
    yield from _changed(f"{what} time to confirm", b.confirm_within, a.confirm_within, _limit)
    yield from _changed(f"{what} retries", b.retries, a.retries)
    yield from _changed(f"{what} cost", f"{b.cost:g}", f"{a.cost:g}")
    yield from _changed(f"{what} params", b.params, a.params, _params)


def _limit(duration: int | None) -> str:
    return words.duration_words(duration) if duration is not None else "without limit"


def _params(params: Mapping[str, object]) -> str:
    return ", ".join(f"{key} = {value!r}" for key, value in params.items()) or "none"


def _breakers(a: Policy, b: Policy) -> Iterator[str]:
    now, was = ({(each.kind, each.segment): each for each in policy.breakers} for policy in (b, a))
    for kind, segment in sorted(now.keys() | was.keys(), key=str):
        what = f"{segment or 'each segment'}: limit of {kind} commands"
        yield from _changed(what, now.get((kind, segment)), was.get((kind, segment)), words.breaker_words)


def _managers(a: Policy, b: Policy) -> Iterator[str]:
    was, now = a.managers, b.managers
    if was is None or now is None:
        if was is not now:
            said = "are named now: actors are checked" if was is None else "are not named any more: actors go unchecked"
            yield f"managers {said}"
        return
    for each in _gone(was, now):
        yield f"manager {each} is gone"
    for each, manager in now.items():
        before = was.get(each)
        if before is None:
            yield f"new manager {each}: {manager.role}, groups {_groups(manager.groups)}"
            continue
        yield from _changed(f"manager {each}: role", manager.role, before.role)
        yield from _changed(f"manager {each}: groups", manager.groups, before.groups, _groups)
        yield from _changed(f"manager {each}: capacity", manager.capacity, before.capacity, _unlimited)
        if manager.away != before.away:
            yield f"manager {each}: away on other days"


def _unlimited(capacity: int | None) -> str:
    return str(capacity) if capacity is not None else "without limit"


def _groups(groups: Sequence[str]) -> str:
    return ", ".join(groups) or "none"


def _listed(given: frozenset[str]) -> str:
    return ", ".join(sorted(given)) or "nobody"
