"""Bodies of the open door, taken apart by shard: each event keeps its own bytes, only its subject is read."""

from collections.abc import Sequence
from typing import Final

from msgspec import Raw, Struct
from msgspec.json import Decoder

from adapters.cloud_events import decode
from adapters.event_faults import MALFORMED
from adapters.rabbit_parcels import MANY, ONE, Parcel, joined
from adapters.rabbit_topology import SHARDS
from domain.shards import shard_of
from engine.envelope import Unreadable

EVENTS_MAX: Final = 100
BYTES_MAX: Final = 256 * 1024


class _Event(Struct, gc=False):
    # An event without a subject goes where rejections without one belong: to the shard of "".
    subject: str = ""


_event: Final = Decoder(_Event).decode
_elements: Final = Decoder(list[Raw]).decode


def _is_text(body: bytes) -> bool:
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


class Sorter:
    """Sorts the events of bodies into parcels for the shards' queues, in the order in which they came.

    Up to 100 events or 256 KiB share a parcel; ``unreadable`` is what is no event at all.
    """

    def __init__(self, shards: int) -> None:
        self.parcels: Final[list[Parcel]] = []
        self.unreadable: Final[list[Unreadable]] = []
        self.events = 0
        self._shards: Final = shards
        self._groups: Final[dict[int, list[bytes | Raw]]] = {}
        self._sizes: Final[dict[int, int]] = {}

    def sort(self, body: bytes) -> None:
        """Takes in one body, an event or a batch of any mix. What comes is never refused."""
        if not _is_text(body):  # the small reading would not look at what it skips
            self._sort_odd(body)
            return
        if body[:1] == b"{" or body.lstrip(b" \t\r\n")[:1] != b"[":
            if not self._sort_plain(body):
                self._sort_odd(body)
            return
        try:
            elements = _elements(body)
        except MALFORMED:
            self._sort_odd(body)
            return
        for element in elements:
            if not self._sort_plain(element):
                # As a batch of its own: alone, an array would be taken for one.
                self._sort_odd(b"[%b]" % element)

    def _sort_plain(self, element: bytes | Raw) -> bool:
        try:
            subject = _event(element).subject
        except MALFORMED:
            return False
        if not subject.isprintable():  # a control character makes a subject that the engine does not accept
            return False
        self._put(shard_of(subject, self._shards), element)
        return True

    def _put(self, shard: int, element: bytes | Raw) -> None:
        self.events += 1
        group = self._groups.get(shard)
        if group is None:
            self._groups[shard] = [element]
            self._sizes[shard] = len(memoryview(element))
            return
        group.append(element)
        self._sizes[shard] += len(memoryview(element))
        if len(group) >= EVENTS_MAX or self._sizes[shard] >= BYTES_MAX:
            self._seal(shard)

    def _seal(self, shard: int) -> None:
        group = self._groups.pop(shard, None)
        if group is None:
            return
        if len(group) == 1:
            self.parcels.append(Parcel(SHARDS, str(shard), bytes(group[0]), ONE))
        else:
            self.parcels.append(Parcel(SHARDS, str(shard), joined(group), MANY))

    def _sort_odd(self, body: bytes) -> None:
        """What the small reading did not understand is read as the engine reads it, and travels alone."""
        for event in decode(body):
            if isinstance(event, Unreadable):
                self.unreadable.append(event)
                continue
            shard = shard_of(event.subject or "", self._shards)
            self._seal(shard)
            self.parcels.append(Parcel(SHARDS, str(shard), event.body, ONE))
            self.events += 1

    def finish(self) -> Sequence[Parcel]:
        """All parcels, in order; the sorter is empty again."""
        for shard in list(self._groups):
            self._seal(shard)
        parcels = list(self.parcels)
        self.parcels.clear()
        return parcels
