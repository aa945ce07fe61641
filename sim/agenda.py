"""The agenda: what is known beforehand of a day in one branch, as actions for the casework."""

from typing import Any

import numpy as np

from sim.casework import TURN, Action
from sim.receivables import Rows


class Agenda:
    """The day's ``actions``, in any order."""

    def __init__(self) -> None:
        self.actions: list[Action] = []

    def begin(self) -> None:
        """A new day, of which nothing is known yet."""
        self.actions = []

    def note(self, at: Any, accounts: Rows, what: int, first: Any, second: Any, third: Any) -> None:
        """An action of each of ``accounts``; the columns are as long, or one number for all."""
        count = len(accounts)
        columns = [
            column.tolist() if isinstance(column, np.ndarray) else [column] * count
            for column in (at, accounts * TURN + what, first, second, third)
        ]
        self.actions.extend(zip(*columns, strict=True))
