"""Chance: random numbers that depend on who and when, and on nothing else.

Each is an element of a counter-based stream (Philox) whose key is the seed, the replication and the branch, whose
counter is the day and the purpose, and whose position is the debtor's. So a debtor draws the same numbers under every
policy, in whatever order accounts are worked and on however many processes. Where only a few accounts need a number, a
keyed hash of the same things gives it.
"""

from hashlib import blake2b
from struct import Struct
from typing import Final

import numpy as np
import numpy.typing as npt

from sim.behaviour import Floats

# What a number is for. Those drawn once stand on day 0.
GROUP: Final = 1
CHARGE: Final = 2
ISSUE_DAY: Final = 3
TYPE: Final = 4
EFFECT: Final = 5
OPENING: Final = 6
OPENING_AGE: Final = 7
AMOUNT: Final = 10  # of a month's invoice
PAYING: Final = 11
DISPUTE: Final = 14
UPHELD: Final = 15
CHURN: Final = 16
REACHED: Final = 20  # by a person
PROMISE: Final = 21
KEPT: Final = 22
PROMISE_DAY: Final = 23
TALK: Final = 24
APPROVAL: Final = 25
GATEWAY: Final = 30
RINGING: Final = 40  # by the dialler; the attempt is added
RING_TIME: Final = 60  # likewise
SENDING: Final = 80  # again by a gateway; the attempt is added
ATTRIBUTE: Final = 1000  # the number of the attribute is added


_UNIT: Final = 2.0**-56
_COUNTER: Final = Struct("<qqq")


def lower_bits(uniforms: Floats, bits: int) -> Floats:
    """Uniform numbers again, from what is left of others without their first ``bits``: independent of these."""
    found: Floats = (uniforms * float(1 << bits)) % 1.0
    return found


class Chance:
    """The random numbers of one branch of ``size`` accounts in one replication."""

    def __init__(self, seed: int, replication: int, branch: int, size: int) -> None:
        """``seed`` is below 2**64, ``replication`` and ``branch`` below 2**32."""
        self._key: Final = np.array([seed, (replication << 32) | branch], dtype=np.uint64)
        self._secret: Final = self._key.tobytes()
        self._size: Final = size
        # One generator, set to the counter of what is drawn: making a new one took a third of a draw of 10,000 numbers.
        self._philox: Final = np.random.Philox(key=self._key)
        self._fresh: Final = self._philox.state
        self._random: Final = np.random.Generator(self._philox)
        self._today: dict[int, Floats] = {}
        self._day = 0

    def uniforms(self, purpose: int, day: int = 0) -> Floats:
        """A number in [0, 1) for each account; those of the day asked for last are kept."""
        if day != self._day:
            self._today.clear()
            self._day = day
        known = self._today.get(purpose)
        if known is None:
            known = self._today[purpose] = self._drawn(purpose, day)
        return known

    def one(self, purpose: int, day: int, account: int) -> float:
        """A number in [0, 1) for a single account, where an array for all of them would be drawn for a few."""
        said = _COUNTER.pack(purpose, day, account)
        return int.from_bytes(blake2b(said, digest_size=7, key=self._secret).digest(), "little") * _UNIT

    def normals(self, purpose: int, day: int = 0, accounts: npt.NDArray[np.int64] | None = None) -> Floats:
        """A standard normal number for each of ``accounts`` (None: all): of two uniform ones, by Box and Muller's
        transform.

        The generator's own method draws a varying number for each, so that an account's depended on its neighbours'.
        """
        first = self._drawn(purpose, 2 * day, 1)
        second = self._drawn(purpose, 2 * day + 1, 1)
        if accounts is not None:
            first, second = first.take(accounts), second.take(accounts)
        found: Floats = np.sqrt(-2.0 * np.log1p(-first)) * np.cos(2.0 * np.pi * second)
        return found

    def _drawn(self, purpose: int, day: int, normal: int = 0) -> Floats:
        self._fresh["state"]["counter"] = np.array([0, day, purpose, normal], dtype=np.uint64)
        self._philox.state = self._fresh
        return self._random.random(self._size)
