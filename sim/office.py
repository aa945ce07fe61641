"""The office of one branch: hands what the domain asks for to gateways, networks, the dialler and people."""

from typing import Final

import numpy as np

from domain.calendar import DAY
from domain.events import MeasureRequested, TaskOpened
from domain.messages import AccountClosed, MeasureApproved, MeasureCompleted, MeasureFailed, MeasureRejected, TaskDone
from domain.profile import Profile
from domain.record import Record
from sim import chance as c
from sim.dialler import Dialling
from sim.people import People
from sim.scenario import TARGETS, Gateway
from sim.services import Services
from sim.site import Site

_INSTANTLY: Final = Gateway(fastest=0, slowest=0)
_PURPOSES: Final = {target: 10 * number for number, target in enumerate(TARGETS)}
_SENDINGS: Final = 10


class WorldsDiffer(Exception):
    """The domain refused what the world told it: the two do not agree on what there is, which is a defect."""


class Office:
    """Carries out commands and tasks."""

    def __init__(self, site: Site, services: Services, people: People, dialling: Dialling) -> None:
        self._site: Final = site
        self._services: Final = services
        self._people: Final = people
        self._dialling: Final = dialling
        self._failing: dict[tuple[str, int], set[int]] = {}
        self._failing_day = 0

    def failing(self, target: str, attempt: int) -> set[int]:
        """The accounts whose delivery by ``target`` fails today, at the ``attempt``-th sending."""
        day = self._site.today.number
        if day != self._failing_day:
            self._failing = {}
            self._failing_day = day
        found = self._failing.get((target, attempt))
        if found is None:
            gateway = self._gateway(target)
            found = set()
            if gateway.fails > 0:
                drawn = self._site.chance.uniforms(_purpose(c.GATEWAY, target, attempt), day)
                found = set(np.flatnonzero(drawn < gateway.fails).tolist())
            self._failing[target, attempt] = found
        return found

    def commanded(self, account: int, profile: Profile, command: MeasureRequested) -> None:
        """Carries out a command that more comes of than its delivery."""
        site = self._site
        gateway = self._gateway(command.target)
        luck = site.luck(_purpose(c.GATEWAY, command.target, command.attempt), command.at, account)
        slow = site.luck(_purpose(c.DELAY, command.target, command.attempt), command.at, account)
        # Later than the command itself: what is answered must have been asked.
        at = command.at + max(1, gateway.fastest + int(slow * (gateway.slowest - gateway.fastest)))
        if command.kind in ("restrict", "restore"):
            at = self._services.after(account, at)
        if luck < gateway.fails:
            site.today.failures.append((account, site.code(command)))
            site.cases.post(at, account, MeasureFailed(at, command.command_id, "not delivered"))
            return
        if command.kind == "call":
            self._dialling.ask(account, command)
            return
        self._take_effect(account, command, at)
        if luck >= gateway.fails + gateway.silent:
            site.cases.post(at, account, MeasureCompleted(at, command.command_id, "done"))

    def _take_effect(self, account: int, command: MeasureRequested, at: int) -> None:
        site = self._site
        match command.kind:
            case "restrict":
                self._services.owes_again(account)
                self._services.switch(account, at, command.measure, True)
            case "restore":
                self._services.switch(account, at, command.restores or command.measure, False)
            case "terminate":
                site.today.terminated.append(account)
                closes_at = at + site.scenario.close_after_days * DAY
                site.cases.post(closes_at, account, AccountClosed(closes_at, "the contract has ended"))
            case "write_off":
                site.leaving_books.setdefault(site.today.number + 1, []).append((account, "written_off"))
            case "place":
                site.leaving_books.setdefault(site.today.number + 1, []).append((account, "placed"))

    def opened(self, account: int, profile: Profile, task: TaskOpened) -> None:
        """Work for a person."""
        self._people.ask(account, profile.group, task)

    def ended(self, account: int, at: int, outcome: str) -> None:
        """A run is over."""
        if outcome == "cured":
            self._services.owes_nothing(account, at)

    def promise_ended(self, account: int, at: int, kept: bool) -> None:
        """A promise was kept, or broken."""
        tally, month = self._site.tally, self._site.today.month
        amount = self._people.promises.pop(account, 0)
        tally.add_one("promises_matured", month, account)
        tally.add_one("promised_matured", month, account, amount)
        if kept:
            tally.add_one("promises_kept", month, account)
            tally.add_one("promised_kept", month, account, amount)

    def refused(self, account: int, message: Record, why: str) -> None:
        """Only work that became moot meanwhile may be refused."""
        if not isinstance(message, (TaskDone, MeasureApproved, MeasureRejected)):
            raise WorldsDiffer(f"account {account}: {why}: {message!r}")

    def _gateway(self, target: str) -> Gateway:
        return self._site.scenario.gateways.get(target, _INSTANTLY)


def _purpose(purpose: int, target: str, attempt: int) -> int:
    return purpose + _PURPOSES[target] + attempt % _SENDINGS
