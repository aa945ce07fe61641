"""Conditions in CEL (Common Expression Language): compiled once, asked millions of times.

`adapters.rule_check` makes rules out of what analysts write, and refuses at load what would fail or surprise while
running; `Rule.holds` answers with the facts of a profile. Measured on one core: 0.2 to 0.7 µs where the same values
were asked before, else 1 to 2 µs for a rule over numbers and 7 for one over an attribute: it is converting strings and
maps that costs, evaluating takes 0.3.
"""

import importlib.machinery
import importlib.util
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from types import ModuleType
from typing import TYPE_CHECKING, Final, cast

from domain.policy import Attribute, ConditionFailed

if TYPE_CHECKING:
    from cel import Program

SEGMENT_NAMES: Final = frozenset({"party", "projection", "ledger", "currency", "attributes"})
MEASURE_NAMES: Final = SEGMENT_NAMES | {
    "balance",
    "debt",
    "overdue",
    "days_past_due",
    "open_items",
    "broken_promises",
    "segment",
}
MONEY_NAMES: Final = frozenset({"balance", "debt", "overdue"})
EXPRESSION_MAX: Final = 1_000

# What the library says at length, cut to what an analyst needs.
_PARSING: Final = re.compile(r"ERROR: <input>:\d+:(\d+): (?:Syntax error: )?([^\n]*?)(?: expecting [^\n]*)?(?:\n|$)")
_ADVICE: Final = re.compile(r"CEL does not coerce|Check (?:that|function)|: the operation is not defined")

_MEMO_MAX: Final = 1_024
_ABSENT: Final = object()


class RuleError(Exception):
    """The expression cannot be a rule; ``hint`` says what to write instead, where that is known."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint: Final = hint


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What an expression may speak of, and the values that its trial takes.

    ``unsure`` are attributes whose own declaration is at fault: they exist, and what is said of them is not tried.
    """

    names: frozenset[str]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    unsure: frozenset[str] = frozenset()
    currency: str = "RUB"
    segments: tuple[str, ...] = ()


class Rule:
    """A compiled condition over the facts it names (``attributes`` apart) and the attributes it names.

    Implements `domain.policy.Condition`. Safe to share between threads; pickles as its source. Attributes declared as
    numbers are given to the expression as floating point, as its trial did, also where the profile holds a whole one.
    """

    __slots__ = ("_attributes", "_memo", "_named", "_names", "_numbers", "_program", "_source")

    def __init__(
        self, source: str, names: tuple[str, ...], attributes: tuple[str, ...], numbers: frozenset[str] = frozenset()
    ) -> None:
        self._source: Final = source
        self._names: Final = names
        self._attributes: Final = attributes
        self._numbers: Final = numbers
        self._named: Final = itemgetter(*names) if names else None
        self._program: Final = compiled(source)
        # Sums of money hardly ever repeat; party, segment and attributes do. Between threads the worst is one more
        # evaluation: a dictionary's get and set are atomic.
        self._memo: Final[dict[object, bool] | None] = None if MONEY_NAMES.intersection(names) else {}

    @property
    def source(self) -> str:
        """The expression as its author wrote it."""
        return self._source

    def holds(self, facts: Mapping[str, object]) -> bool:
        """Whether the rule is true for ``facts``; raises `ConditionFailed` where it cannot be said.

        ``facts`` has every name of the rule's scope; ``attributes`` in it is a mapping without the absent ones.
        """
        memo = self._memo
        if memo is None:
            return self.evaluate(facts)
        # For one name `itemgetter` gives the value, for several a tuple: either tells the facts of this rule apart.
        key = self._named(facts) if self._named is not None else None
        if self._attributes:
            attributes = cast("Mapping[str, object]", facts["attributes"])
            key = (key, *[attributes.get(name, _ABSENT) for name in self._attributes])
        try:
            known = memo.get(key)
        except TypeError:  # an attribute of a type that no profile should hold
            return self.evaluate(facts)
        if known is None:
            known = self.evaluate(facts)
            if len(memo) >= _MEMO_MAX:
                memo.clear()
            memo[key] = known
        return known

    def evaluate(self, facts: Mapping[str, object]) -> bool:
        """What `holds` says, without its memory."""
        # A dictionary of what is used, not a kept Context: that one is not thread-safe, and updating it costs more.
        given: dict[str, object] = {name: facts[name] for name in self._names}
        if self._attributes:
            attributes = cast("Mapping[str, object]", facts["attributes"])
            known = {name: attributes[name] for name in self._attributes if name in attributes}
            for name in self._numbers:
                number = known.get(name)
                if type(number) is int:
                    known[name] = float(number)
            given["attributes"] = known
        result = evaluated(self._program, given)
        if result is True or result is False:
            return result
        raise ConditionFailed(f"{self._source}: gives {result!r:.60}, neither true nor false")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rule) and other.__reduce__() == self.__reduce__()

    def __hash__(self) -> int:
        return hash(self._source)

    def __repr__(self) -> str:
        return f"Rule({self._source!r})"

    def __reduce__(self) -> tuple[type["Rule"], tuple[str, tuple[str, ...], tuple[str, ...], frozenset[str]]]:
        return Rule, (self._source, self._names, self._attributes, self._numbers)


def compiled(source: str) -> "Program":
    """The library's program of an expression; raises `RuleError` with the parser's first complaint."""
    try:
        program: Program = _cel().compile(source)
    except BaseException as error:
        raise RuleError(f"not an expression: {_first_line(error)}") from _harmless(error)
    return program


def evaluated(program: "Program", facts: dict[str, object]) -> object:
    """What the program gives for ``facts``; raises `ConditionFailed` with the reason on one line."""
    try:
        return program.execute(facts)
    except BaseException as error:
        raise ConditionFailed(f"{program.source}: {_first_line(error)}") from _harmless(error)


def _harmless(error: BaseException) -> BaseException:
    """The error, unless it asks this process to stop: a panic of the library is a `BaseException`, too."""
    if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError)):
        raise error
    return error


def _first_line(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"no such key: {error.args[0]}" if error.args else "no such key"
    parsing = _PARSING.search(str(error))
    if parsing:
        return f"{parsing[2]} at character {parsing[1]}"
    text = next(iter(str(error).splitlines()), "") or type(error).__name__
    return (
        _ADVICE.split(text)[0]
        .replace("No such overload", "values of these types do not go together")
        .strip(" .:")[:200]
    )


@cache
def _cel() -> ModuleType:
    """The library's extension module, without the package around it.

    The package's ``__init__`` imports its own command line (typer, prompt_toolkit, rich): 260 ms and 30 MB that every
    worker process would pay, against 24 ms. It is registered under its name because it must not be loaded twice.
    """
    name = "cel.cel"
    if name not in sys.modules:
        package = importlib.util.find_spec("cel")
        folders = package.submodule_search_locations if package else None
        spec = importlib.machinery.PathFinder.find_spec(name, folders)
        if spec is None or spec.loader is None:
            return importlib.import_module("cel")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
