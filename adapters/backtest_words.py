"""What a backtest found: a table for the terminal, and each command that changes as a JSON line."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from statistics import median
from typing import Final

from msgspec.json import encode

from adapters.cloud_events import rfc3339
from sim.backtest import STAYS, Count, Counts, Course, Difference

_HEADS: Final = ("", "stay", "appear", "vanish", "earlier", "later")


def told(counts: Counts, courses: tuple[Course, Course], found: Sequence[Difference]) -> Iterator[str]:
    """The lines: a block for each segment, a row for each measure, and what it comes to in a sentence."""
    if not counts:
        yield "Neither policy sends anything on this history."
        yield from _left_out(courses[0])
        return
    rows: list[Sequence[str]] = [_HEADS]
    for segment, of in groupby(counts.items(), key=lambda entry: entry[0][0]):
        rows.append((f"segment {segment}", *[""] * 5))
        rows += [(f"  {measure} ({kind})", *_cells(count)) for (_, measure, kind), count in of]
    total = _sum(counts)
    rows.append(("all", *_cells(total)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    for first, *others in rows:
        cells = (f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True))
        yield "  ".join([f"{first:{widths[0]}}", *cells]).rstrip()
    yield ""
    yield _verdict(total, found)
    rejected = [course.rejected for course in courses]
    if any(rejected):
        yield (
            f"Events that were rejected: {rejected[0]:,} under the first policy, {rejected[1]:,} under the other (what"
            " people decided on tasks or commands that a policy does not have, say)."
        )
    yield from _left_out(courses[0])


def _left_out(course: Course) -> Iterator[str]:
    if course.answers:
        yield f"Left out: {course.answers:,} recorded confirmations and failures of the commands of another day."
    if course.beheaded:
        yield f"Left out: {course.beheaded:,} profiles whose beginning is not in the journal any more."


def _cells(count: Count) -> tuple[str, ...]:
    whole = (count.stays, count.appears, count.vanishes)
    return (*(f"{each:,}" if each else "-" for each in whole), _moved(count.earlier), _moved(count.later))


def _moved(days: Sequence[float]) -> str:
    """How many, and by how much at the median."""
    return f"{len(days):,} (by {_length(median(days))})" if days else "-"


def _length(days: float) -> str:
    return f"{days:.1f} d" if days >= 1 else f"{days * 24:.1f} h"


def _sum(counts: Counts) -> Count:
    total = Count()
    for count in counts.values():
        total.stays += count.stays
        total.appears += count.appears
        total.vanishes += count.vanishes
        total.earlier += count.earlier
        total.later += count.later
    return total


def _verdict(total: Count, found: Sequence[Difference]) -> str:
    touched = {each.profile_id for each in found if each.what != STAYS}
    profiles = {each.profile_id for each in found}
    if not touched:
        return f"Both policies do the same: {total.stays:,} commands to {len(profiles):,} profiles."
    return (
        f"{total.changed:,} of {total.changed + total.stays:,} commands change, to {len(touched):,} of"
        f" {len(profiles):,} profiles that get any."
    )


def changed(found: Sequence[Difference]) -> Iterator[bytes]:
    """A line for each command that does not stay as it is, by profile and time. Money in minor units."""
    for each in found:
        if each.what != STAYS:
            yield encode(_line(each))


def _line(each: Difference) -> Mapping[str, object]:
    sent = each.sent
    return {
        "change": each.what,
        "profile_id": each.profile_id,
        "segment": each.segment,
        "measure": sent.measure,
        "kind": sent.kind,
        "target": sent.target,
        "reason": sent.reason,
        "before": rfc3339(each.before.at) if each.before else None,
        "after": rfc3339(each.after.at) if each.after else None,
        "days": round(each.days, 3),
        "overdue_before": each.before.overdue if each.before else None,
        "overdue_after": each.after.overdue if each.after else None,
    }
