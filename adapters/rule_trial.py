"""The trial of a rule at load: values of the declared types, chosen around what its expression compares them with.

An expression that passes may still fail later (a division by what happens to be zero); mistakes of type hardly ever do.
"""

import itertools
import random
import time
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from adapters.rules import MONEY_NAMES, Rule, RuleError, Scope
from domain.policy import Attribute, ConditionFailed

Value = str | int | float | bool

TRIALS_MAX: Final = 256
TRIALS_SECONDS_MAX: Final = 0.1
EVALUATION_SECONDS_MAX: Final = 0.05
_LITERALS_MAX: Final = 32
_LARGE: Final = 10**12
LISTED: Final = {
    "party": ("person", "organisation"),
    "projection": ("account", "contract", "customer"),
    "ledger": ("invoices", "balance"),
}


def try_out(
    rule: Rule, names: Sequence[str], attributes: Sequence[str], literals: Sequence[Value], scope: Scope
) -> None:
    """Asks ``rule`` on up to `TRIALS_MAX` sets of facts; raises `RuleError` at the first that fails or takes too long.

    All attributes are present: an expression that minds their absence says so with ``has``.
    """
    literals = literals[:_LITERALS_MAX]
    named = {name: _candidates(name, literals, scope) for name in names}
    typed = {name: _of_type(scope.attributes[name], literals) for name in attributes}
    start = time.thread_time()
    for values in _combinations([*named.values(), *typed.values()]):
        if time.thread_time() - start > TRIALS_SECONDS_MAX:
            break  # thousands of slow expressions must not hold up a load; an ordinary trial takes 2 ms
        facts: dict[str, object] = dict(zip(names, values, strict=False))
        known = dict(zip(attributes, values[len(names) :], strict=True))
        _ask(rule, facts | {"attributes": known}, facts | {f"attributes.{name}": known[name] for name in known})


def _ask(rule: Rule, facts: Mapping[str, object], said: Mapping[str, object]) -> None:
    for _ in range(3):  # a cold cache or a page fault is not the expression's fault
        start = time.thread_time()
        try:
            rule.evaluate(facts)
        except ConditionFailed as error:
            reason = str(error).removeprefix(f"{rule.source}: ")
            raise RuleError(f"{reason}{_where(said)}") from error
        if time.thread_time() - start < EVALUATION_SECONDS_MAX:
            return
    raise RuleError(f"takes more than {EVALUATION_SECONDS_MAX * 1000:g} ms", "simplify its regular expressions")


def _where(said: Mapping[str, object]) -> str:
    if not said:
        return ""
    listed = ", ".join(f"{name} is {_cel_text(value)}" for name, value in list(said.items())[:4])
    return f", when {listed}"


def _cel_text(value: object) -> str:
    return f'"{value:.40}"' if isinstance(value, str) else str(value).lower()


def _combinations(choices: Sequence[Sequence[Value]]) -> list[tuple[Value, ...]]:
    """All combinations where they are few; else each value at least once, in company drawn from a fixed seed."""
    count = 1
    for each in choices:
        count *= len(each)
        if count > TRIALS_MAX:
            break
    else:
        return list(itertools.product(*choices))
    draw = random.Random(0)
    columns = []
    for each in choices:
        column = list(itertools.islice(itertools.cycle(each), TRIALS_MAX))
        draw.shuffle(column)
        columns.append(column)
    return list(zip(*columns, strict=True))


def _candidates(name: str, literals: Sequence[Value], scope: Scope) -> Sequence[Value]:
    if name in LISTED:
        return LISTED[name]
    if name == "currency":
        return (scope.currency,)
    if name == "segment":
        return scope.segments or ("everyone",)
    if name in MONEY_NAMES:
        least = -_LARGE if name == "balance" else 0
        return [n for n in _whole((0, 1, _LARGE, -_LARGE), literals) if n >= least]
    return [n for n in _whole((0, 1, 3_650), literals) if 0 <= n <= _LARGE]


def _of_type(attribute: Attribute, literals: Sequence[Value]) -> Sequence[Value]:
    match attribute.type:
        case "enum":
            return attribute.values
        case "boolean":
            return (True, False)
        case "integer":
            return _whole((0, 1, -1, 1_000_000), literals)
        case "number":
            return _unique(0.0, 0.5, -1.0, 1e6, *(float(n) for n in literals if isinstance(n, (int, float))))
        case "date":
            return _unique("2024-02-29", "2026-01-01", *(t for t in literals if is_date(t)))
        case _:
            return _unique("", "x", *(t for t in literals if isinstance(t, str)))


def is_date(value: object) -> bool:
    """Whether ``value`` is a date as attributes carry it: "2026-03-31"."""
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def _whole(always: Sequence[int], literals: Sequence[Value]) -> list[int]:
    """The values given, and each number of the expression with its neighbours, as far as 64 bits go."""
    near = [int(n) + step for n in literals if isinstance(n, (int, float)) and abs(n) < 1 << 53 for step in (-1, 0, 1)]
    return list(dict.fromkeys((*always, *near)))


def _unique(*values: Value) -> list[Value]:
    return list(dict.fromkeys(values))
