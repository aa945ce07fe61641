"""Invoices as calibration wants them: columns of numbers, out of rows of a table or of a store's journal."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from adapters.history_rows import Row
from sim.spells import Invoices

ROWS_MAX: Final = 5_000_000


@dataclass(slots=True)
class InvoiceTable:
    """Gathers invoices. Days are ordinals; 0 stands for a day that has not come, or that nobody knows."""

    issued: list[int] = field(default_factory=list)
    due: list[int] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    disputed: list[bool] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    known_until: list[int] = field(default_factory=list)
    """The last day of which something is known of an invoice, where that is not the history's."""
    parts: list[tuple[int, int, float]] = field(default_factory=list)
    claims: int = 0
    claims_upheld: int = 0
    _debtors: dict[str, int] = field(default_factory=dict)
    _debtor: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._debtor)

    def add(self, subject: str, issued: int, due: int, settled: int, disputed: bool) -> int:
        """One more invoice; its row."""
        self._debtor.append(self._debtors.setdefault(subject, len(self._debtors)))
        self.issued.append(issued)
        self.due.append(due)
        self.settled.append(settled)
        self.disputed.append(disputed)
        self.answered.append(0)
        self.known_until.append(0)
        return len(self._debtor) - 1

    def add_rows(self, rows: Iterable[Row]) -> None:
        """Rows of a payment history, all of which have a due date."""
        for row in rows:
            assert row.due_on is not None
            self.add(row.subject, row.issued_on, row.due_on, row.settled_on or 0, row.disputed)

    def last_day(self) -> int:
        """The last day on which anything happened."""
        return max(max(self.issued), max(self.settled), *(day for _, day, _ in self.parts), 0)

    def invoices(self, until: int) -> Invoices:
        """The columns. What was issued after ``until`` is left out, and what was paid after it counts as open."""
        issued = np.array(self.issued, dtype=np.int64)
        settled = np.array(self.settled, dtype=np.int64)
        known = np.array(self.known_until, dtype=np.int64)
        settled = np.where(settled > until, 0, settled)
        found = Invoices(
            debtor=np.array(self._debtor, dtype=np.int64),
            issued=issued,
            due=np.array(self.due, dtype=np.int64),
            settled=settled,
            disputed=np.array(self.disputed, dtype=np.bool_),
            answered=np.array(self.answered, dtype=np.int64),
            until=np.where(known > 0, np.minimum(known, until), until),
            debtors=len(self._debtors),
            upheld=self.claims_upheld / self.claims if self.claims else 0.0,
            parts=tuple(part for part in self.parts if part[1] <= until),
        )
        return found.chosen(np.flatnonzero(issued <= until))
