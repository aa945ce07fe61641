"""What the demo watches: the events that have left the engine, counted and told by somebody who stands outside."""

from collections import Counter, deque
from collections.abc import Sequence
from typing import Any, Final

from msgspec.json import Decoder

from adapters.demo_words import STYLES, in_words, plain
from adapters.node import Node
from domain.calendar import time_of
from domain.forecast import counted, money
from engine.ports import OutgoingEvent
from sim.operator import SyntheticOperator

TICKS_MAX: Final = 24
_decode: Final = Decoder().decode

Tick = tuple[str, str, str, Sequence[str]]
"""A decision for the ticker: when, who, its style, and what in ever fewer words."""


class Watch:
    """What has left the engine, counted by somebody who stands outside and reads the events."""

    def __init__(self, operator: SyntheticOperator, node: Node) -> None:
        self.operator: Final = operator
        self.node: Final = node
        self.known: Final[set[str]] = set()
        self.runs: Final[Counter[str]] = Counter()
        self.measures: Final[Counter[tuple[str, str]]] = Counter()
        self.contacts: Final[Counter[str]] = Counter()
        self.others: Final[Counter[str]] = Counter()
        self.tasks: Final[dict[str, str]] = {}
        self.ticks: Final[deque[Tick]] = deque(maxlen=TICKS_MAX)
        self.overdue_by_day: Final[list[int]] = []
        self.stories: Final[dict[str, set[str]]] = {}
        self._shown: Final[Counter[str]] = Counter()
        self._fresh: Final[list[tuple[str, Tick]]] = []

    @property
    def runs_open(self) -> int:
        """Plan runs that are open."""
        return 2 * self.runs["opened"] - self.runs.total()

    def see(self, events: Sequence[OutgoingEvent]) -> None:
        """Counts what was sent in a step, and looks at billing's books after it."""
        for outgoing in events:
            event = _decode(outgoing.body)
            name = event["type"].removeprefix("dms.").removesuffix(".v1")
            self._see(outgoing.at, event.get("subject", ""), name, event["data"])
        day = self.operator.today - self.operator.zone.day(self.operator.start)
        self.overdue_by_day.extend([0] * (day + 1 - len(self.overdue_by_day)))
        self.overdue_by_day[day] = self.operator.overdue

    def tick(self) -> None:
        """Lets one of the new decisions into the ticker, the kind that was shown least: all would fly past unread."""
        if self._fresh:
            kind, tick = min(self._fresh, key=lambda each: self._shown[each[0]])
            self._shown[kind] += 1
            self.ticks.append(tick)
            self._fresh.clear()

    def announce(self, at: int, who: str, words: str) -> None:
        """What happens so rarely that the ticker shows all of it."""
        self.ticks.append((self._clock(at), f"{who}: ", "bold yellow", [words]))

    def _see(self, at: int, account: str, name: str, data: dict[str, Any]) -> None:
        self.others[name] += 1
        match name:
            case "measure.requested":
                self._see_measure(at, account, data)
            case "segment.changed":
                self.known.add(account)
            case "run.opened":
                self.runs["opened"] += 1
            case "run.closed":
                self.runs[data["outcome"]] += 1
            case "promise.kept":
                self._tell(at, account, name, ["promise kept"], name)
            case "promise.broken":
                self._tell(at, account, name, ["promise broken: the plan goes on"], name)
            case "task.opened":
                self.tasks[data["task_id"]] = data["why"]
                if data["why"] == "approval":
                    self._tell(at, account, "task", [f"a head is asked: {plain(data['measure'])}?"], "approval")
            case "task.closed":
                self.tasks.pop(data["task_id"], None)

    def _see_measure(self, at: int, account: str, data: dict[str, Any]) -> None:
        kind, reason, days = data["kind"], data["reason"], data["days_past_due"]
        self.measures[kind, reason] += 1
        words = in_words(data)
        said = [words]
        if reason == "plan":
            self.contacts[account] += kind in ("notify", "call")
            owed = money(data["overdue"], self.node.engine.policy)
            late = f"{words}, {counted(days, 'day')} past due"
            said = [f"{late}, {owed} overdue", f"{late}, {owed}", late, words]
        self._tell(at, account, kind, said, f"{kind} {data['measure']} {reason}")

    def _tell(self, at: int, account: str, style: str, said: Sequence[str], kind: str) -> None:
        self.stories.setdefault(account, set()).add(kind)
        self._fresh.append((kind, (self._clock(at), f"{account}: ", STYLES[style], said)))

    def _clock(self, at: int) -> str:
        return f" {time_of(self.operator.zone.time_of_day(at))}  "
