"""Letters: what engines that work one store's shards write to each other, through the queues of the shards.

A letter goes to whoever works a shard when it arrives. Like every event it is committed with what caused it, leaves
through the outbox, and is taken in once: it has an id, which the inbox remembers.
"""

from collections.abc import Callable
from dataclasses import dataclass

from actors.manager import Note
from domain.messages import ManagerChosen
from domain.shards import shard_of
from engine.envelope import Envelope
from engine.ports import OutgoingEvent


@dataclass(frozen=True, slots=True)
class DeskNote:
    """A fact for the desk of a service segment, from the engine that works the profile."""

    service_segment: str
    note: Note


@dataclass(frozen=True, slots=True)
class DeskAnswer:
    """A desk's choice for a profile that another engine works."""

    profile_id: str
    answer: ManagerChosen


@dataclass(frozen=True, slots=True)
class Voice:
    """A head's voice on what a breaker holds back; every shard gets it."""

    breaker: str
    actor: str
    let_go: bool


@dataclass(frozen=True, slots=True)
class Release:
    """What waits in quarantine for a profile is to be worked again."""

    profile_id: str
    actor: str


Contents = DeskNote | DeskAnswer | Voice | Release


@dataclass(frozen=True, slots=True)
class Letter:
    """What is written, under an id that is its own, to the shard of ``subject``. ``sender`` is a profile, or a service
    segment's desk, of the engine that writes."""

    letter_id: str
    sender: str
    subject: str
    contents: Contents


Seal = Callable[[Letter, int, int], OutgoingEvent]
"""A letter as it leaves, with the number of its shard and its instant."""

Unseal = Callable[[Envelope], Letter | None]
"""The letter that an event of an unknown type is; None where it is none."""


def subjects_of_all(shards: int) -> list[str]:
    """A subject for each shard: how a letter reaches every one of them."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < shards:
        subject = f"shard/{number}"
        found.setdefault(shard_of(subject, shards), subject)
        number += 1
    return [found[shard] for shard in range(shards)]
