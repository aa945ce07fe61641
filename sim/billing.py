"""Billing: bills, takes money, corrects what was wrong, and watches who is overdue."""

from datetime import date
from typing import Any, Final

from domain.calendar import HOUR, MINUTE, month_day
from sim.billing_books import Episode
from sim.scene import Scene, iso
from sim.tempers import HAZARD, PROMPT


class Billing:
    """Writes the scene's books. ``overdue`` is what each account owes past due now, by these books."""

    def __init__(self, scene: Scene) -> None:
        self.overdue: Final = [0] * len(scene.accounts)
        self.unpaid_alone: list[Episode] = []
        """Episodes that would not have been paid yet without any measure."""
        self._episode: Final[list[Episode | None]] = [None] * len(scene.accounts)
        self._scene: Final = scene

    def open_books(self, at: int) -> None:
        """Introduces every account, and what some owe already."""
        scene = self._scene
        for i, account in enumerate(scene.accounts):
            attributes = {
                "region": account.region,
                "revenue_class": account.revenue_class,
                "has_phone": account.cycle % 5 > 0,
                "partner_services": account.cycle % 7 == 0,
            }
            data = {"projection": "account", "party": account.party, "currency": "RUB", "ledger": account.ledger}
            scene.emit(at, i, "billing", "account.updated", data | {"attributes": attributes})
        for i, account in enumerate(scene.accounts):
            days_ago = (date.fromordinal(scene.today).day - account.cycle - 1) % 30 + 1
            if account.ledger == "balance":
                self.snapshot(at, i, int(account.charge * scene.between(0.3, 1.6)))
            elif scene.days.random() < (1 - HAZARD[account.temper, 0]) ** days_ago and days_ago < 20:
                self._invoice(at, i, scene.today - days_ago)
            elif account.temper != PROMPT and scene.days.random() < 0.06:
                self._invoice(at, i, scene.today - int(scene.days.integers(25, 100)))
        scene.books.opening, scene.books.billed = scene.books.billed, 0

    def _invoice(self, at: int, i: int, issued: int) -> None:
        scene = self._scene
        account = scene.accounts[i]
        amount = int(account.charge * scene.between(0.85, 1.25)) // 100 * 100
        due = issued + (20 if account.party == "person" else 5)
        invoice_id = f"INV-{account.id[4:]}-{date.fromordinal(issued):%y%m%d}"
        data: dict[str, Any] = {"invoice_id": invoice_id, "amount": amount, "issued_on": iso(issued)}
        # Organisations pay by the terms of their contract, which the policy knows.
        if account.party == "person":
            data["due_on"] = iso(due)
        scene.emit(at, i, "billing", "invoice.issued", data)
        account.invoices.append((due, invoice_id, amount))
        scene.books.billed += amount
        self.move(i, -amount)

    def snapshot(self, at: int, i: int, balance: int | None = None) -> None:
        """Publishes the balance, or books a new one first: a balance that billing computes elsewhere."""
        scene = self._scene
        account = scene.accounts[i]
        if balance is not None:
            scene.books.billed += account.balance - balance
            self.move(i, balance - account.balance)
        account.sequence += 2
        scene.emit(at, i, "billing", "balance.changed", {"balance": account.balance}, account.sequence)
        if scene.chance(0.005):  # an older one comes late
            scene.emit(at, i, "billing", "balance.changed", {"balance": account.balance + 100}, account.sequence - 1)

    def bill(self, at: int) -> None:
        """Bills the accounts whose cycle begins today."""
        scene = self._scene
        day_of_month = date.fromordinal(scene.today).day
        for i, account in enumerate(scene.accounts):
            if account.cycle != day_of_month or not account.has_contract:
                continue
            if account.ledger == "balance":
                self.snapshot(at, i, account.balance - int(account.charge * scene.between(0.9, 1.1)) // 100 * 100)
                continue
            self._invoice(at, i, scene.today)
            if scene.chance(0.006):
                scene.at(at + int(scene.between(6, 40) * HOUR), self._credit, i)
            scene.at(at + 2 * HOUR, self.snapshot, i)

    def _credit(self, at: int, i: int) -> None:
        scene = self._scene
        account = scene.accounts[i]
        due, invoice_id, amount = account.invoices[-1]
        delta = amount // 500 * 100
        if delta > 0 and account.claim is None:
            account.invoices[-1] = due, invoice_id, amount - delta
            data = {"invoice_id": invoice_id, "delta": -delta, "reason": "charged for a service that was not given"}
            scene.emit(at, i, "billing", "invoice.adjusted", data)
            scene.books.credited += delta
            account.last_payment = None
            self.move(i, delta)

    def move(self, i: int, amount: int) -> None:
        """Books an amount: below zero, the customer owes more."""
        account = self._scene.accounts[i]
        if account.balance >= 0 > account.balance + amount:
            account.due = month_day(self._scene.today, 5)
        account.balance += amount
        self.look(i)

    def look(self, i: int) -> None:
        """Looks whether the account's episode begins or ends today."""
        scene = self._scene
        overdue = self.overdue[i] = scene.accounts[i].overdue(scene.today)
        episode = self._episode[i]
        if overdue > 0 and episode is None:
            episode = self._episode[i] = Episode(i, scene.today)
            scene.books.episodes.append(episode)
            self.unpaid_alone.append(episode)
        elif overdue == 0 and episode is not None:
            episode.paid = scene.today
            self._episode[i] = None

    def days_past_due(self, i: int) -> int:
        """As billing counts: zero, while nothing is overdue."""
        episode = self._episode[i]
        return 0 if episode is None else self._scene.today - episode.began + 1

    def receive_money(self, at: int, i: int, amount: int) -> None:
        """Books a payment, which the bank may take back."""
        scene = self._scene
        account = scene.accounts[i]
        payment_id = scene.new_id("PAY")
        scene.emit(at, i, "payments", "payment.received", {"payment_id": payment_id, "amount": amount})
        scene.books.payments += 1
        scene.books.collected += amount
        account.last_payment = payment_id, amount
        self.move(i, amount)
        if account.ledger == "balance":
            scene.at(at + 2 * MINUTE, self.snapshot, i)
        if scene.chance(0.004):
            scene.at(at + int(scene.between(20, 60) * HOUR), self._bounce, i, payment_id)

    def _bounce(self, at: int, i: int, payment_id: str) -> None:
        """The bank takes a payment back, if it was the last thing to happen to the debt."""
        scene = self._scene
        account = scene.accounts[i]
        if account.last_payment is not None and account.last_payment[0] == payment_id and not account.is_closed:
            amount = account.last_payment[1]
            data = {"payment_id": payment_id, "reason": "returned by the bank"}
            scene.emit(at, i, "payments", "payment.reversed", data)
            scene.books.reversed += amount
            account.last_payment = None
            self.move(i, -amount)

    def close(self, at: int, i: int) -> None:
        """The last event of an account."""
        self._scene.emit(at, i, "billing", "account.closed", {"reason": "the contract was terminated"})
        self._scene.accounts[i].is_closed = True
