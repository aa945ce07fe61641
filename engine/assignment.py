"""Which shard falls to which member: a pure function of who lives, and of how it was before.

Rendezvous hashing says who takes what has nobody, quotas keep it even, and what has somebody stays where it is. Plain
rendezvous hashing needs no memory, but of 64 shards over three members it gives one of them more than 1.2 of its share
in 41 groups of 100; bounded loads without memory push shards around among those who stayed. With the assignment of
before as memory a change moves what it must and no more: the shards of who left, or the share of who came.
"""

from collections.abc import Collection, Sequence
from hashlib import blake2b
from typing import Final

Assignment = tuple[str, ...]
"""The member of each shard, by its number; empty where there are no members."""


def assignment(members: Collection[str], shards: int, before: Sequence[str] = ()) -> Assignment:
    """The assignment that follows ``before`` (of any members, or none) now that exactly ``members`` live.

    Nobody has more than one shard more than anybody else. The order of ``members`` means nothing.
    """
    living = sorted(set(members))
    if not living:
        return ()
    kept: dict[str, list[int]] = {member: [] for member in living}
    if len(before) == shards:
        for shard, member in enumerate(before):
            if member in kept:
                kept[member].append(shard)
    quotas = _quotas(kept, shards)
    for member, held in kept.items():
        if len(held) > quotas[member]:
            held.sort(key=lambda shard: _score(member, shard), reverse=True)
            del held[quotas[member] :]
    found = {shard: member for member, held in kept.items() for shard in held}
    room = {member: quotas[member] - len(held) for member, held in kept.items() if len(held) < quotas[member]}
    for shard in range(shards):
        if shard not in found:
            taker = max(room, key=lambda member: (_score(member, shard), member))
            found[shard] = taker
            room[taker] -= 1
            if not room[taker]:
                del room[taker]
    return tuple(found[shard] for shard in range(shards))


def assigned(members: Collection[str], shards: int, me: str, before: Sequence[str] = ()) -> frozenset[int]:
    """The shards that fall to ``me``."""
    return shards_of(assignment(members, shards, before), me)


def shards_of(assignment: Sequence[str], me: str) -> frozenset[int]:
    """The shards that an assignment gives to ``me``."""
    return frozenset(shard for shard, member in enumerate(assignment) if member == me)


def _quotas(kept: dict[str, list[int]], shards: int) -> dict[str, int]:
    """How many each may have. Where it does not come out even, one more for those who have most: that moves least."""
    share, over = divmod(shards, len(kept))
    fullest = sorted(kept, key=lambda member: (-len(kept[member]), _score(member, -1), member))
    return {member: share + (place < over) for place, member in enumerate(fullest)}


def _score(member: str, shard: int) -> int:
    """How much a member wants a shard; as good as random, and the same on every machine."""
    return int.from_bytes(blake2b(f"{shard}/{member}".encode(), digest_size=8).digest())


class Settling:
    """Waits until members stand still: three that come within a moment are one change, not three."""

    def __init__(self, seconds: float) -> None:
        self._seconds: Final = seconds
        self._members: frozenset[str] = frozenset()
        self._since = 0.0

    def remaining(self, members: Collection[str], now: float) -> float:
        """How many seconds are left until ``members`` have stood still; 0 where they have. ``now`` is monotonic."""
        if frozenset(members) != self._members:
            self._members, self._since = frozenset(members), now
        return max(0.0, self._since + self._seconds - now)
