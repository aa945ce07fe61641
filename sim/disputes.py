"""Disputes: invoices that are claimed against, and the answers."""

from typing import Final

import numpy as np
import numpy.typing as npt

from domain.calendar import HOUR
from domain.messages import ClaimClosed, ClaimOpened
from sim import chance as c
from sim.ageing import Ageing
from sim.payers import Payers
from sim.people import People
from sim.receivables import Money, Rows
from sim.site import Site
from sim.untold import Untold

_OLD_CLAIM_DAYS: Final = 20


class Disputes:
    """``disputed`` is what nobody pays of each account's debt, because it is disputed."""

    def __init__(self, site: Site, untold: Untold, ageing: Ageing, payers: Payers, people: People, prefix: str) -> None:
        """``prefix`` stands before the ids of the invoices that the experiment issues."""
        self.disputed: Final[Money] = np.zeros(len(site.portfolio), dtype=np.int64)
        self._site: Final = site
        self._untold: Final = untold
        self._ageing: Final = ageing
        self._payers: Final = payers
        self._people: Final = people
        self._prefix: Final = prefix
        self._answers: Final[dict[int, list[tuple[int, int, int]]]] = {}
        self._old: Final[dict[int, list[tuple[int, str]]]] = {}
        self._names: Final[dict[tuple[int, int], str]] = {}

    def item(self, account: int, item: int) -> str:
        """The item's id in the domain."""
        return self._names.get((account, item)) or f"{self._prefix}I{item}"

    def remember_item(self, account: int, item: int, item_id: str, claimed: int) -> None:
        """An item that was there before the experiment, so much of it disputed."""
        self._names[account, item] = item_id
        self.disputed[account] += claimed

    def remember_claim(self, account: int, day: int, claim_id: str) -> None:
        """A claim that was open before ``day``, the first one."""
        self._old.setdefault(day + _OLD_CLAIM_DAYS, []).append((account, claim_id))

    def open(self, day: int, at: int, rows: Rows) -> None:
        """Some of those who got an invoice at ``at`` dispute it an hour later."""
        site = self._site
        disputing = rows[self._payers.claimed(day, rows) & (self.disputed[rows] == 0)]
        self._untold.tell(disputing[self._untold.resting[disputing]])
        for account in disputing.tolist():
            item = int(site.books.count[account]) - 1
            amount = int(site.books.left[account, item])
            if amount == 0:
                continue
            behaviour, _ = self._people.behaviour(account)
            self.disputed[account] = amount
            self._answers.setdefault(day + behaviour.claim_days, []).append((account, item, amount))
            site.cases.post(at + HOUR, account, ClaimOpened(at + HOUR, f"C{item}", self.item(account, item), amount))

    def answer(self, day: int, at: int, under_contract: npt.NDArray[np.bool_]) -> None:
        """Billing answers at ``at`` the claims whose time has come; those of former customers lapse."""
        site = self._site
        for account, claim_id in self._old.pop(day, ()):
            self.disputed[account] = 0
            site.cases.post(at, account, ClaimClosed(at, claim_id, "rejected"))
        for account, item, amount in self._answers.pop(day, ()):
            behaviour, _ = self._people.behaviour(account)
            self.disputed[account] = 0
            if not under_contract[account]:
                continue
            upheld = float(site.chance.uniforms(c.UPHELD, day)[account]) < behaviour.claim_upheld
            if upheld:
                self._credit(day, account, item, amount)
            else:
                self._payers.rejected(account)
            site.cases.post(at, account, ClaimClosed(at, f"C{item}", "upheld" if upheld else "rejected"))

    def _credit(self, day: int, account: int, item: int, amount: int) -> None:
        books = self._site.books
        taken = min(amount, int(books.left[account, item]))
        self._ageing.lowered(int(books.due[account, item]), taken)
        self._ageing.paid(day, books.credit(account, item, amount))
        self._site.tally.add_one("credited", self._site.today.month, account, amount)
