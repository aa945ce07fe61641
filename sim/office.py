"""The office of one branch: hands what the domain asks for to gateways, networks, the dialler and people."""

from typing import Final

import numpy as np
import numpy.typing as npt

from domain.calendar import DAY
from domain.events import MeasureRequested, TaskOpened
from domain.messages import AccountClosed, MeasureApproved, MeasureFailed, MeasureRejected, TaskDone
from domain.profile import Profile
from domain.record import Record
from sim import chance as c
from sim.chance import lower_bits
from sim.dialler import Dialling
from sim.people import People
from sim.receivables import Money, Rows
from sim.scenario import Gateway
from sim.services import Services
from sim.site import Site

_INSTANTLY: Final = Gateway(fastest=0, slowest=0)
FAILS: Final = 0
SILENT: Final = 1


class WorldsDiffer(Exception):
    """The domain refused what the world told it: the two do not agree on what there is, which is a defect."""


class Office:
    """Carries out commands and tasks. ``failing`` numbers, for today's troubled accounts (``is_failing``), by which
    target they are failed, and how."""

    def __init__(self, site: Site, services: Services, people: People, dialling: Dialling) -> None:
        self.failing: dict[int, int] = {}
        self.is_failing: npt.NDArray[np.bool_] = np.zeros(len(site.portfolio), dtype=np.bool_)
        self._site: Final = site
        self._services: Final = services
        self._people: Final = people
        self._dialling: Final = dialling
        # One number a day says for each account which system fails it, if any: they have a part of [0, 1) each.
        self._parts: Final[list[tuple[float, str, int]]] = []
        for target, gateway in sorted(site.scenario.gateways.items()):
            for chance, how in ((gateway.fails, FAILS), (gateway.silent, SILENT)):
                if chance > 0:
                    self._parts.append((chance, target, how))
        self._bounds: Final = np.cumsum([chance for chance, _, _ in self._parts])

    def begin(self, day: int) -> None:
        """Settles whom which system fails today."""
        self.failing = {}
        if not self._parts:
            return
        drawn = self._site.chance.uniforms(c.GATEWAY, day)
        self.is_failing = drawn < self._bounds[-1]
        accounts = np.flatnonzero(self.is_failing)
        parts = np.searchsorted(self._bounds, drawn[accounts], side="right")
        self.failing = dict(zip(accounts.tolist(), parts.tolist(), strict=True))

    def delays(self, day: int, target: str, accounts: Rows) -> Money:
        """How long the accounts' commands of ``day`` take to be carried out by ``target``."""
        gateway = self._site.scenario.gateways.get(target, _INSTANTLY)
        slow = lower_bits(self._site.chance.uniforms(c.GATEWAY, day)[accounts], 24)
        found: Money = gateway.fastest + (slow * (gateway.slowest - gateway.fastest)).astype(np.int64)
        return found

    def troubled(self, account: int, profile: Profile, command: MeasureRequested) -> bool:
        """Whether the command fails, or is done and never confirmed."""
        _, target, how = self._parts[self.failing[account]]
        if target != command.target:
            return False
        if command.attempt > 1:
            # Sent again within the day it has another chance.
            again = self._site.chance.one(c.SENDING + command.attempt, self._site.today.number, account)
            gateway = self._site.scenario.gateways[target]
            if again >= gateway.fails + gateway.silent:
                return False
            how = FAILS if again < gateway.fails else SILENT
        if how == FAILS:
            at = command.at + max(1, int(self.delays(self._site.today.number, target, np.array([account]))[0]))
            self._site.today.failures.append((account, self._site.code(command)))
            self._site.cases.post(at, account, MeasureFailed(at, command.command_id, "not delivered"))
        elif command.kind in ("restrict", "restore"):
            is_off = command.kind == "restrict"
            self._site.cases.switches.append((command.at, account, command.restores or command.measure, is_off))
        elif command.kind not in ("notify", "legal", "task"):
            self.commanded(account, profile, command)
        return True

    def commanded(self, account: int, profile: Profile, command: MeasureRequested) -> None:
        """Carries out a command that more comes of than its delivery."""
        site = self._site
        tomorrow = site.today.number + 1
        match command.kind:
            case "call":
                self._dialling.ask(account, command)
            case "terminate":
                site.today.terminated.append(account)
                closes_at = command.at + site.scenario.close_after_days * DAY
                site.cases.post(closes_at, account, AccountClosed(closes_at, "the contract has ended"))
            case "write_off":
                site.leaving_books.setdefault(tomorrow, []).append((account, "written_off"))
            case "place":
                site.leaving_books.setdefault(tomorrow, []).append((account, "placed"))

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

    def catch_up(self, account: int) -> None:
        """A letter comes to an account at rest."""
        self._site.catch_up(account)
