"""What a search found, in lines for a terminal."""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import isnan
from typing import Final

from adapters.simulation_words import amount
from sim.search import Found, Kept, SearchPlan, Trial

_BEST: Final = 3


def told(plan: SearchPlan, found: Found, accounts: int, minor_units: int) -> Iterator[str]:
    """The best trials on a branch of ``accounts``, a column each, beside what holds today."""
    refused = [each.refused for each in found.trials if each.refused]
    worked = len(found.trials) - len(refused)
    broken = sum(1 for each in found.trials if not each.holds and not each.refused)
    ended = ", until it was interrupted" if found.interrupted else ""
    yield (
        f"{worked:,} of {plan.size:,} sets of values were worked on a branch of {accounts:,} accounts{ended};"
        f" {broken:,} break a limit."
    )
    if refused:
        common, count = Counter(refused).most_common(1)[0]
        yield f"{len(refused):,} more make no policy; {count:,} times: {common}"
    best = found.ranked[:_BEST]
    if not best:
        yield "None keeps every limit."
        return
    yield ""
    rows: list[Sequence[str]] = [
        ("", "as it is", *(f"{place}." for place in range(1, len(best) + 1))),
        *(
            (each.name, _shown(each.now), *(_shown(trial.values[each.name]) for trial in best))
            for each in plan.parameters
        ),
        (f"{plan.figure}, more", "", *(_gain(plan, trial, minor_units) for trial in best)),
        *(
            (_limit(kept, minor_units), "", *(_value(trial.kept[number], minor_units) for trial in best))
            for number, kept in enumerate(best[0].kept)
        ),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *others in rows:
        cells = (f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True))
        yield "  ".join([f"{first:{widths[0]}}", *cells]).rstrip()


def best_so_far(plan: SearchPlan, best: Trial | None, minor_units: int) -> str:
    """What the best trial adds, in a few words."""
    return f"{plan.figure} {_gain(plan, best, minor_units)}" if best is not None and best.gain is not None else ""


def verdict(plan: SearchPlan, confirmed: Trial, accounts: int, minor_units: int) -> Iterator[str]:
    """What the best of the trials is worth on debtors that no trial has met."""
    gain = confirmed.gain
    assert gain is not None
    where = f"On {plan.confirm} fresh replications of {accounts:,} accounts"
    said = f"{where}: {plan.figure} {_interval(plan, confirmed, minor_units)} against what holds today"
    broken = [each for each in confirmed.kept if each.excess > 0]
    for each in broken:
        yield f"{_limit(each, minor_units)}: broken, {_value(each, minor_units)}."
    if broken:
        yield f"{said}, but a limit is broken: not confirmed."
    elif gain.low > 0:
        yield f"{said}, every limit kept: confirmed."
    else:
        yield f"{said}: the interval does not lie above nothing, so it is not confirmed; keep what you have."


def _shown(value: object) -> str:
    text = "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _gain(plan: SearchPlan, trial: Trial, minor_units: int) -> str:
    assert trial.gain is not None
    return amount(plan.figure, trial.gain.mean, minor_units, signed=True)


def _interval(plan: SearchPlan, trial: Trial, minor_units: int) -> str:
    gain = trial.gain
    assert gain is not None
    said = amount(plan.figure, gain.mean, minor_units, signed=True)
    if isnan(gain.half_width):
        return said
    low, high = (amount(plan.figure, each, minor_units, signed=True) for each in (gain.low, gain.high))
    return f"{said} ({low} .. {high})"


def _limit(kept: Kept, minor_units: int) -> str:
    side = "at most" if kept.limit.most is not None else "at least"
    return f"{kept.limit.figure}, {side} {amount(kept.limit.figure, kept.bound, minor_units)}"


def _value(kept: Kept, minor_units: int) -> str:
    return "-" if kept.value is None else amount(kept.limit.figure, kept.value, minor_units)
