"""A synthetic operator: the customers, billing, networks and managers around the engine, from one seed.

It publishes and receives CloudEvents and knows nothing else of the engine. Its books are its own: what it has billed
and collected is billing's view, by which the engine can be judged.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final

import msgspec
import numpy as np

from domain.calendar import MINUTE, Zone
from engine.ports import OutgoingEvent
from sim.back_office import BackOffice
from sim.billing import Billing
from sim.billing_books import Account, Books
from sim.customers import Customers
from sim.scene import Scene
from sim.tempers import population

BATCH_MAX: Final = 100
_decode: Final = msgspec.json.Decoder().decode


class SyntheticOperator:
    """Everybody outside of the engine. One seed and the same answers of the engine make the same world."""

    def __init__(
        self, accounts: int = 3_000, seed: int = 1, start: date = date(2026, 6, 1), timezone: str = "Europe/Moscow"
    ) -> None:
        """Begins at local midnight of ``start``, with a portfolio in which some owe already."""
        people, days, moments = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
        self._scene: Final = Scene(population(people, accounts), start, Zone(timezone), days, moments)
        self._billing: Final = Billing(self._scene)
        self._customers: Final = Customers(self._scene, self._billing)
        self._office: Final = BackOffice(self._scene, self._billing, self._customers)
        self._index: Final = {account.id: i for i, account in enumerate(self.accounts)}
        self._scene.at(self.start, self._billing.open_books)
        self._scene.at(self.start + 5 * MINUTE, self._customers.begin_day)

    @property
    def zone(self) -> Zone:
        """By whose clocks people live here."""
        return self._scene.zone

    @property
    def start(self) -> int:
        """The instant at which all begins."""
        return self._scene.start

    @property
    def today(self) -> int:
        """The local day."""
        return self._scene.today

    @property
    def accounts(self) -> list[Account]:
        """All accounts, the closed ones too."""
        return self._scene.accounts

    @property
    def books(self) -> Books:
        """Billing's totals."""
        return self._scene.books

    @property
    def overdue(self) -> int:
        """What is overdue now, by billing's books."""
        return sum(self._billing.overdue)

    @property
    def accounts_overdue(self) -> int:
        """How many accounts owe something that is past due, by billing's books."""
        return sum([amount > 0 for amount in self._billing.overdue])

    def restricted(self) -> list[Account]:
        """Customers under contract without a service because networks were told so and not told otherwise."""
        return [account for account in self.accounts if account.ordered and account.has_contract]

    def events_until(self, instant: int) -> list[bytes]:
        """What is published up to and including ``instant``: CloudEvents bodies, batches of up to 100 events."""
        events = self._scene.play_until(instant)
        self._office.forget_answers(instant)
        batches = [events[n : n + BATCH_MAX] for n in range(0, len(events), BATCH_MAX)]
        return [batch[0] if len(batch) == 1 else b"[" + b",".join(batch) + b"]" for batch in batches]

    def answers_at(self) -> int | None:
        """When the first answer of an executing system that is on its way will be published."""
        return self._office.answers_at()

    def receive(self, events: Sequence[OutgoingEvent]) -> None:
        """What the engine has sent, to whom it may concern."""
        for outgoing in events:
            event = _decode(outgoing.body)
            i = self._index.get(event.get("subject", ""), -1)
            data = event["data"]
            if event["type"] == "dms.message.rejected.v1":
                self.books.rejected[data["reason"]] += 1
            elif i >= 0:
                self._office.receive(i, event["type"], data, outgoing.at)
