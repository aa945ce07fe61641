"""The dialler of one branch: lines that ring debtors, again and again, within the contact hours."""

from math import exp, log
from statistics import NormalDist
from typing import Final

from simpy import Event

from domain.calendar import SECOND
from domain.events import MeasureRequested
from domain.timing import contact_opening
from sim import chance as c
from sim.capacity import NO_TIME, Servers
from sim.site import Site

_NORMAL: Final = NormalDist()


class Dialling:
    """All lines of a branch. A call counts as done for the domain when the dialler has taken it on: what becomes of it
    moves the debtor, not the plan."""

    def __init__(self, site: Site) -> None:
        self.site: Final = site
        count = site.scenario.dialler.lines
        # Without a number there are as many as it takes.
        self.lines: Final = Servers(site.env, site.here(count) if count else 1 << 30, announces=site.announce)

    def ask(self, account: int, command: MeasureRequested) -> None:
        """A command waits for a line."""
        self.lines.ask(command.at, _Ringing(self, account, command, 1))


class _Ringing:
    """One attempt to reach a debtor."""

    def __init__(self, dialling: Dialling, account: int, command: MeasureRequested, attempt: int) -> None:
        self._dialling: Final = dialling
        self._site: Final = dialling.site
        self._account: Final = account
        self._command: Final = command
        self._attempt: Final = attempt
        self._reaches = False

    def begin(self, at: int) -> int:
        """A free line rings, if the debt is still worked and the debtor may be rung at this hour."""
        site, dialler = self._site, self._site.scenario.dialler
        profile = site.cases.profile(self._account)
        if profile.closed or profile.run is None:
            return self._given_up()
        if contact_opening(profile, site.policy, at) > at:
            return self._given_up()
        reach = dialler.reach[self._attempt - 1]
        self._reaches = site.luck(c.RINGING + self._attempt, at, self._account) < reach
        seconds = dialler.ring_seconds
        if self._reaches:
            drawn = min(max(site.luck(c.RING_TIME + self._attempt, at, self._account), 1e-9), 1 - 1e-9)
            spread = dialler.talk_spread
            seconds += exp(log(dialler.talk_seconds) - spread * spread / 2 + spread * _NORMAL.inv_cdf(drawn))
        site.tally.add_one("line_seconds", site.today.month, self._account, int(seconds))
        return int(seconds * SECOND)

    def end(self, at: int) -> None:
        """Who was not reached is rung again later, while attempts last."""
        site, dialler = self._site, self._site.scenario.dialler
        if self._reaches or self._attempt >= len(dialler.reach):
            site.today.rung.append((self._account, self._reaches))
            return
        event = site.env.timeout(at + dialler.retry_after - site.env.now)
        assert event.callbacks is not None
        event.callbacks.append(self._ring_again)
        site.announce(at + dialler.retry_after)

    def _ring_again(self, _: Event) -> None:
        again = _Ringing(self._dialling, self._account, self._command, self._attempt + 1)
        self._dialling.lines.ask(int(self._site.env.now), again)

    def _given_up(self) -> int:
        site = self._site
        if self._attempt == 1:
            seconds = int(site.scenario.dialler.ring_seconds)
            site.tally.add_one("line_seconds_refused", site.today.month, self._account, seconds)
            site.today.failures.append((self._account, site.code(self._command)))
        return NO_TIME
