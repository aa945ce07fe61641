"""Health: what a node is made of, and whether each part works now.

Two questions are asked of it: is the process worth keeping (its vital parts), and can it work events now (all that it
needs)? A part that does not answer in time does not work; one that hangs is asked again only when it has answered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Thread
from time import monotonic
from typing import Final

from adapters.logs import in_one_line

Check = Callable[[], str | None]
"""Says in one line why a part does not work; None where it does. May block, and may raise."""


@dataclass(frozen=True, slots=True)
class Component:
    """A part of a node. ``is_vital``: only a new process helps. ``is_needed``: without it no event can be worked.

    One that is neither may be away for a while: ZooKeeper, say, under whose leases the work goes on.
    """

    name: str
    check: Check
    is_vital: bool = False
    is_needed: bool = True


class _Watched:
    """A component and what was last found. Guarded by the board's condition."""

    __slots__ = ("asked_at", "component", "found_at", "is_asked", "why")

    def __init__(self, component: Component) -> None:
        self.component: Final = component
        self.why: str | None = None
        self.is_asked = False
        self.asked_at = self.found_at = float("-inf")


class Board:
    """Asks all parts at once, each in a thread of its own and for a limited time. May be used from any thread.

    An answer is good for ``fresh_seconds``, so that probes and scrapes do not add up.
    """

    def __init__(
        self, components: Sequence[Component], answer_seconds: float = 2.0, fresh_seconds: float = 1.0
    ) -> None:
        self._answer_seconds: Final = answer_seconds
        self._fresh_seconds: Final = fresh_seconds
        self._changed: Final = Condition()
        self._watched: Final = {component.name: _Watched(component) for component in components}
        assert len(self._watched) == len(components), "two components of one name"

    def components(self) -> list[Component]:
        """The parts, in the order in which they were given."""
        return [each.component for each in self._watched.values()]

    def look(self, *, vital_only: bool = False) -> dict[str, str | None]:
        """Why each part does not work, by name; None for one that does. Takes at most the time for an answer."""
        some = [each for each in self._watched.values() if each.component.is_vital or not vital_only]
        deadline = monotonic() + self._answer_seconds
        with self._changed:
            for each in some:
                self._ask(each)
            while any(each.is_asked for each in some) and (left := deadline - monotonic()) > 0:
                self._changed.wait(left)
            return {each.component.name: self._why(each) for each in some}

    def _ask(self, watched: _Watched) -> None:
        if watched.is_asked or monotonic() - watched.found_at < self._fresh_seconds:
            return
        watched.is_asked = True
        watched.asked_at = monotonic()
        name = f"health of {watched.component.name}"
        # A daemon: what hangs must not keep the process from ending.
        Thread(target=self._check, args=(watched,), name=name, daemon=True).start()

    def _check(self, watched: _Watched) -> None:
        try:
            why = watched.component.check()
        except Exception as error:
            why = in_one_line(error)
        with self._changed:
            watched.why = " ".join(why.split()) if why is not None else None
            watched.is_asked = False
            watched.found_at = monotonic()
            self._changed.notify_all()

    def _why(self, watched: _Watched) -> str | None:
        if watched.is_asked:
            return f"no answer for {monotonic() - watched.asked_at:.1f} seconds"
        return watched.why
