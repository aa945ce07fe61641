"""The scene: what everybody around the engine shares. The day, the agenda, chance, the accounts, and the post."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from heapq import heappop, heappush
from typing import Any, Final

import msgspec
import numpy as np

from domain.calendar import HOUR, MINUTE, BusinessCalendar, Zone
from sim.billing_books import Account, Books

STAFF: Final = {"head": ("lebedeva", "guseva", "belov"), "specialist": ("karelin", "moroz", "frolov", "sokolova")}


class _Event(msgspec.Struct, omit_defaults=True):
    id: str
    source: str
    type: str
    subject: str
    time: str
    data: dict[str, Any]
    sequence: str | None = None
    specversion: str = "1.0"


_encode: Final = msgspec.json.Encoder().encode


class Scene:
    """Begins at local midnight of ``start``.

    Of two sources of chance, ``days`` is drawn alike whatever the engine answers; ``moments`` is not.
    """

    def __init__(
        self, accounts: list[Account], start: date, zone: Zone, days: np.random.Generator, moments: np.random.Generator
    ) -> None:
        self.accounts: Final = accounts
        self.zone: Final = zone
        self.books: Final = Books()
        self.start: Final = zone.midnight(start.toordinal())
        self.today = start.toordinal()
        self.days: Final = days
        self.moments: Final = moments
        self.moved: Final[set[int]] = set()
        """Accounts of which something was published that the engine has not answered yet."""
        self._calendar: Final = BusinessCalendar()
        self._agenda: Final[list[tuple[int, int, Callable[..., None], tuple[Any, ...]]]] = []
        self._out: list[bytes] = []
        self._ids: Final[Counter[str]] = Counter()

    def play_until(self, instant: int) -> list[bytes]:
        """Has everything happen that is due up to and including ``instant``; returns the events published."""
        self.moved.clear()
        while self._agenda and self._agenda[0][0] <= instant:
            at, _, happen, details = heappop(self._agenda)
            happen(at, *details)
        events, self._out = self._out, []
        return events

    def at(self, instant: int, happen: Callable[..., None], *details: Any) -> None:
        """Has ``happen(instant, *details)`` called when its time has come."""
        self._ids[""] += 1
        heappush(self._agenda, (instant, self._ids[""], happen, details))

    def chance(self, probability: float) -> bool:
        """Whether something happens that has this probability."""
        return bool(self.moments.random() < probability)

    def between(self, low: float, high: float) -> float:
        """Chance, evenly."""
        return float(low + (high - low) * self.moments.random())

    def in_office_hours(self, at: int, minutes: float) -> int:
        """The instant so many minutes later, or the next morning on which people work."""
        at += int(minutes * MINUTE)
        day = self.zone.day(at)
        clock = self.zone.time_of_day(at)
        if clock >= 18 * 3600 or not self._calendar.is_business_day(day):
            day += 1
            while not self._calendar.is_business_day(day):
                day += 1
        elif clock >= 9 * 3600 + 1800:
            return at
        return self.zone.instant(day, 9 * 3600 + 1800) + int(self.between(0, 3) * HOUR)

    def new_id(self, prefix: str) -> str:
        """``PAY-1``, ``PAY-2``."""
        self._ids[prefix] += 1
        return f"{prefix}-{self._ids[prefix]}"

    def emit(self, at: int, i: int, source: str, name: str, data: dict[str, Any], sequence: int | None = None) -> None:
        """Publishes a CloudEvent about account ``i``, now and then twice; nothing about a closed account."""
        account = self.accounts[i]
        if account.is_closed:
            return
        self.moved.add(i)
        event_id = self.new_id(source)
        digits = None if sequence is None else str(sequence)
        event = _encode(_Event(event_id, source, f"dms.{name}.v1", account.id, _rfc3339(at), data, digits))
        self._publish(at, event)
        if self.chance(0.004):
            self.books.duplicates += 1
            self.at(at + int(self.between(1, 90) * MINUTE), self._publish, event)

    def _publish(self, _: int, event: bytes) -> None:
        self.books.published += 1
        self._out.append(event)

    def o_clock(self, hours: float) -> int:
        """The instant of today's local clock."""
        return self.zone.instant(self.today, int(hours * 3600))

    def staff(self, role: str, i: int) -> str:
        """Who in this ``role`` acts on account ``i``: its own manager, if it is a specialist's work."""
        if role == "specialist" and self.accounts[i].manager is not None:
            return self.accounts[i].manager or ""
        return STAFF[role][int(self.moments.integers(len(STAFF[role])))]


def iso(day: int) -> str:
    """A local day as the format writes it."""
    return date.fromordinal(day).isoformat()


def _rfc3339(at: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).isoformat(timespec="milliseconds")
