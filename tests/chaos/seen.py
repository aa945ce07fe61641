"""What a receiver has written down, read from its file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Seen:
    """``events`` in the order of their first arrival; ``arrived_at`` by their ids, in nanoseconds."""

    events: list[dict[str, Any]]
    arrived_at: dict[str, int]
    doubles: int

    @property
    def commands(self) -> list[dict[str, Any]]:
        """Those that are commands."""
        return [event for event in self.events if event["type"] == "dms.measure.requested.v1"]


def read_seen(file: Path) -> Seen:
    """All whole lines of the file. Doubles are dropped by the event's id, the same whenever it is sent."""
    first: dict[str, dict[str, Any]] = {}
    arrived_at: dict[str, int] = {}
    count = 0
    for line in file.read_bytes().splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        at, _, body = line.partition(b" ")
        found = json.loads(body)
        for event in found if isinstance(found, list) else [found]:
            count += 1
            if first.setdefault(event["id"], event) is event:
                arrived_at[event["id"]] = int(at)
    return Seen(list(first.values()), arrived_at, count - len(first))
