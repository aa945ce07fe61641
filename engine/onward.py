"""What must go elsewhere before its delivery may be acknowledged: events that came to the wrong shard, and what is no
event at all."""

from collections.abc import Sequence
from typing import Final

from engine.envelope import Unreadable
from engine.intake import Intake
from engine.ports import Broker


class Onward:
    """Passes such bodies on. One that is not taken waits here, its delivery unacknowledged, and has another go with
    the next call; nobody else waits for it, but what has to follow it to the same place.

    A delivery that comes again meanwhile, over a new connection, is passed on twice: shards know doubles, and people
    who read dead letters can bear them.
    """

    def __init__(self, broker: Broker) -> None:
        self.failure: Exception | None = None
        """Why the last one that is still here could not go."""
        self._broker: Final = broker
        self._astray: dict[int, list[tuple[int, bytes]]] = {}
        self._dead: list[tuple[int, Unreadable]] = []

    def __len__(self) -> int:
        return len(self._dead) + sum(map(len, self._astray.values()))

    def pass_on(self, intake: Intake) -> Sequence[int]:
        """Takes a batch's, and sends all that is here; returns the tags of the deliveries that are done with."""
        self.failure = None
        if not (len(self) or intake.unreadable or intake.misdirected):
            return intake.tags
        tags = [*sorted(self._tags()), *intake.tags]
        self._dead += intake.unreadable
        for tag, shard, body in intake.misdirected:
            self._astray.setdefault(shard, []).append((tag, body))
        self._send()
        waiting = self._tags()
        return [tag for tag in tags if tag not in waiting]

    def forget(self) -> None:
        """Everything comes again."""
        self._astray.clear()
        self._dead.clear()

    def _tags(self) -> set[int]:
        return {tag for tag, _ in self._dead}.union(*({tag for tag, _ in some} for some in self._astray.values()))

    def _send(self) -> None:
        for shard, some in list(self._astray.items()):
            try:
                self._broker.forward([(shard, body) for _, body in some])
                del self._astray[shard]
            except Exception as failure:
                self.failure = failure
        gone = 0
        try:
            for _, each in self._dead:
                self._broker.dead_letter(each.body, each.reason)
                gone += 1
        except Exception as failure:
            self.failure = failure
        del self._dead[:gone]
