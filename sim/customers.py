"""Customers: every day some pay, and some of those who do not dispute, promise, ring up or fall ill."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.calendar import DAY, HOUR, MINUTE
from sim.billing import Billing
from sim.billing_books import HORIZON_DAYS
from sim.scene import Scene, iso
from sim.tempers import DISPUTING, HAZARD, PAYS_ALL, PHASES, PROMPT, RESPONSE, SHORT

_LIFT: Final = {"notify": 1.5, "call": 3.0, "restrict": 9.0, "task": 4.0, "legal": 6.0}
_LIFT_MAX: Final = 14.0
_LIFT_FADES: Final = 0.75


class Customers:
    """What they do of their own accord, and how measures move them."""

    def __init__(self, scene: Scene, billing: Billing) -> None:
        self._scene: Final = scene
        self._billing: Final = billing
        self._temper: Final = np.array([account.temper for account in scene.accounts])
        self._lift: NDArray[np.float64] = np.zeros(len(scene.accounts))

    def press(self, i: int, measure: str) -> None:
        """A measure of this kind has reached the customer, who is readier to pay for some days."""
        self._lift[i] = min(_LIFT_MAX, self._lift[i] + _LIFT.get(measure, 0.0))

    def begin_day(self, at: int) -> None:
        """Settles what everyone will do today, and when."""
        scene = self._scene
        scene.today = scene.zone.day(at)
        for i in range(len(scene.accounts)):
            self._billing.look(i)
        count = len(scene.accounts)
        luck, all_of_it, hour, mood = scene.days.random((4, count))
        # A message is forgotten in days; who has no service remembers it every day.
        self._lift = np.maximum(self._lift * _LIFT_FADES, [4.0 * bool(account.off) for account in scene.accounts])
        late = [self._billing.days_past_due(i) for i in range(count)]
        base = HAZARD[self._temper, np.searchsorted(PHASES, late, "right")]
        lifted = 1 - (1 - base) ** (1 + self._lift * RESPONSE[self._temper])
        self._live_alone(luck, all_of_it)
        for i in np.flatnonzero(luck < lifted).tolist():
            share = 1.0 if all_of_it[i] < PAYS_ALL[self._temper[i]] else 0.25 + 0.5 * float(mood[i])
            scene.at(scene.o_clock(8 + 14 * float(hour[i])), self.pay, i, share)
        for i, overdue in enumerate(self._billing.overdue):
            if overdue > 0:
                self._something_else(i, float(mood[i]), scene.o_clock(9 + 11 * float(hour[i])))
        for i in scene.days.integers(0, count, scene.days.poisson(count / 2_500)).tolist():
            scene.at(scene.o_clock(12), self._change_class, i)
        scene.at(scene.o_clock(4), self._billing.bill)
        scene.at(scene.zone.midnight(scene.today + 1) + 5 * MINUTE, self.begin_day)

    def _live_alone(self, luck: NDArray[np.float64], all_of_it: NDArray[np.float64]) -> None:
        """The same luck without any measure: when would they have paid?"""
        scene = self._scene
        left = []
        for episode in self._billing.unpaid_alone:
            i = episode.account
            temper = scene.accounts[i].temper
            phase = np.searchsorted(PHASES, scene.today - episode.began + 1, "right")
            if luck[i] < HAZARD[temper, phase] and all_of_it[i] < PAYS_ALL[temper]:
                episode.alone = scene.today
            elif scene.today - episode.began <= HORIZON_DAYS:
                left.append(episode)
        self._billing.unpaid_alone = left

    def pay(self, at: int, i: int, share: float) -> None:
        """Pays a ``share`` of what is owed, if anything is; who pays all may round it up."""
        account = self._scene.accounts[i]
        owes = -account.balance
        if account.ledger == "balance" and account.temper == PROMPT:
            owes = max(owes, account.charge - account.balance if account.balance < account.charge // 3 else 0)
        if owes <= 0 or account.is_closed:
            return
        amount = owes if share >= 1 else max(1_000, int((self._billing.overdue[i] or owes) * share) // 1_000 * 1_000)
        if share >= 1 and self._scene.chance(0.15):
            amount = -(-amount // 10_000) * 10_000  # a round sum, the rest in advance
        self._billing.receive_money(at, i, amount)

    def _something_else(self, i: int, mood: float, at: int) -> None:
        """What a debtor may do beside paying, and what people do with the debt by hand."""
        scene = self._scene
        account = scene.accounts[i]
        late = self._billing.days_past_due(i)
        if account.agreed_until >= scene.today or not account.has_contract:
            return
        happen: Callable[[int, int], None] | None = None
        if account.temper == DISPUTING and account.claim is None and account.invoices and mood < 0.4:
            happen = self._dispute
        elif account.party == "organisation" and mood > 0.985:
            happen = self._net
        elif late > 8 and (account.party == "organisation" or account.temper == SHORT) and 0.5 < mood < 0.53:
            happen = self._agree_instalments
        elif account.ordered and mood < 0.07:
            happen = self._call_in
        elif 0.3 < mood < 0.305:
            happen = self._call_out
        elif mood > 0.996:
            happen = self._hold
        if happen is not None:
            scene.at(at, self._unless_paid, happen, i)

    def _unless_paid(self, at: int, happen: Callable[[int, int], None], i: int) -> None:
        if self._billing.overdue[i] > 0:
            happen(at, i)

    def _dispute(self, at: int, i: int) -> None:
        scene = self._scene
        account = scene.accounts[i]
        overdue = [each for each in account.invoices if each[0] < scene.today]
        if account.claim is not None or not overdue:
            return
        account.claim = scene.new_id("CLM")
        account.last_payment = None
        _, invoice_id, billed = overdue[-1]
        amount = max(100, int(min(billed, self._billing.overdue[i]) * scene.between(0.3, 1.0)) // 100 * 100)
        claim = {"claim_id": account.claim}
        scene.emit(at, i, "crm", "claim.opened", claim | {"invoice_id": invoice_id, "amount": amount})
        scene.at(scene.in_office_hours(at, 1440 * scene.between(8, 20)), self._settle, i, amount)

    def _settle(self, at: int, i: int, amount: int) -> None:
        scene = self._scene
        account = scene.accounts[i]
        is_upheld = scene.chance(0.4)
        claim = {"claim_id": account.claim, "outcome": "upheld" if is_upheld else "rejected"}
        account.last_payment = None
        if account.is_closed:
            return
        scene.emit(at, i, "crm", "claim.closed", claim)
        if is_upheld:
            scene.books.credited += amount
            self._billing.move(i, amount)

    def _net(self, at: int, i: int) -> None:
        scene = self._scene
        amount = max(100, int(self._billing.overdue[i] * scene.between(0.3, 1.0)) // 100 * 100)
        document = scene.new_id("ACT")
        data = {"netting_id": f"NET-{document}", "amount": amount, "document": document}
        scene.emit(at, i, "erp", "netting.agreed", data)
        scene.books.netted += amount
        scene.accounts[i].last_payment = None
        self._billing.move(i, amount)
        if scene.accounts[i].ledger == "balance":
            self._billing.snapshot(at, i)

    def _agree_instalments(self, at: int, i: int) -> None:
        scene = self._scene
        account = scene.accounts[i]
        part = -(-self._billing.overdue[i] // 3)
        days = [scene.today + 10, scene.today + 20, scene.today + 30]
        parts = [{"pay_by": iso(day), "amount": part} for day in days]
        scene.emit(at, i, "crm", "instalments.agreed", {"schedule_id": scene.new_id("SCH"), "parts": parts})
        account.agreed_until = days[-1]
        for day in days:
            if scene.chance(0.85):
                scene.at(scene.zone.instant(day, 15 * 3600), self._pay_part, i, part)

    def _pay_part(self, at: int, i: int, part: int) -> None:
        if self._scene.accounts[i].balance <= -part and not self._scene.accounts[i].is_closed:
            self._billing.receive_money(at, i, part)

    def _hold(self, at: int, i: int) -> None:
        scene = self._scene
        hold = {"hold_id": scene.new_id("HLD")}
        until = scene.today + int(scene.between(14, 30))
        scene.emit(at, i, "crm", "hold.placed", hold | {"until": iso(until), "reason": "in hospital"})
        scene.accounts[i].agreed_until = until
        if scene.chance(0.3):
            scene.at(at + 7 * DAY, scene.emit, i, "crm", "hold.lifted", hold)

    def _change_class(self, at: int, i: int) -> None:
        account = self._scene.accounts[i]
        account.revenue_class = {"A": "B", "B": "A", "C": "B"}[account.revenue_class]
        self._scene.emit(at, i, "crm", "account.updated", {"attributes": {"revenue_class": account.revenue_class}})

    def _call_in(self, at: int, i: int) -> None:
        scene = self._scene
        if i in scene.moved:  # the engine's answer is not known yet
            return
        account = scene.accounts[i]
        actor = scene.staff("specialist", i)
        said = {"outcome": "promises to pay", "note": "asks for the service back"}
        scene.emit(at, i, "crm", "contact.made", {"kind": "call", "direction": "in", "actor": actor} | said)
        self.promise(at, i)
        if account.ordered and scene.chance(0.4):
            measure = list(account.ordered.values())[-1]
            lifted = {"measure": measure, "actor": actor, "note": "until the promised day"}
            scene.emit(at, i, "crm", "restriction.lifted", lifted)

    def _call_out(self, at: int, i: int) -> None:
        actor = self._scene.staff("specialist", i)
        said = {"outcome": "reached", "note": "called while on the account for another reason"}
        self._scene.emit(at, i, "crm", "contact.made", {"kind": "call", "direction": "out", "actor": actor} | said)
        self.press(i, "call")

    def promise(self, at: int, i: int) -> None:
        """Promises all of it within days, and mostly keeps that."""
        scene = self._scene
        pay_by = scene.today + int(scene.between(3, 8))
        data = {"promise_id": scene.new_id("PRM"), "amount": self._billing.overdue[i], "pay_by": iso(pay_by)}
        scene.emit(at, i, "crm", "promise.made", data)
        scene.accounts[i].agreed_until = pay_by
        if scene.chance(0.65):
            paid_at = scene.zone.instant(pay_by - int(scene.between(0, 2)), 18 * 3600)
            scene.at(max(at + HOUR, paid_at), self.pay, i, 1.0)
