"""A replay by several processes: each plays its share of the profiles, and the bytes are those of one process.

Profiles are independent of each other but for two things. Doubles are known by their ids alone, so they are taken out
here, before the events are dealt out. Managers' desks see all profiles, so they sit here as well: the processes send
what happened, and wait for the answers, as engines of different shards do by letters.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from multiprocessing import get_context
from operator import itemgetter
from typing import Final

from adapters.cloud_events import glanced
from adapters.json_lines import InputError
from adapters.replay import EVENTS_AT_ONCE, Line, Recorded, Turns, asks_desks, recorded, uncollected
from adapters.replay_player import Answers, Notes, Player, Told, play
from domain.policy import Policy
from domain.shards import shard_of
from engine.desks import Desks
from engine.envelope import Envelope
from engine.lanes import ThreadLane
from engine.tally import Tally
from sim.interrupts import unheard
from sim.parcel import packed
from sim.replay_store import SeenKeys

_LINES_AT_ONCE: Final = 500
_STOP_SECONDS: Final = 10.0


class ReplayCrew:
    """A replay like `adapters.replay.Replay`, by so many ``workers``: processes of their own."""

    def __init__(self, policy: Policy, confirm: bool, workers: int) -> None:
        self.tally: Final = Tally()
        self._policy: Final = policy
        self._confirm: Final = confirm
        self._workers: Final = workers
        self._seen: Final = SeenKeys()

    def bodies(self, lines: Iterable[Line], until: int | None = None) -> Generator[bytes, None, None]:
        """The outgoing events of the lines up to and including ``until``: those of `Replay.bodies`, which also says
        what it raises."""
        history = _Ahead(recorded(lines, glanced), EVENTS_AT_ONCE)
        with ExitStack() as closing:
            closing.enter_context(uncollected())
            desks = closing.enter_context(_manned(self._policy))
            crew = closing.enter_context(self._at_work(history.read_while))
            playing: Sequence[Player] = ()
            try:
                for turn in Turns(self._policy, desks.answered, EVENTS_AT_ONCE).cut(history, until):
                    ready = _collected(playing)
                    self._deal(turn.events, turn.before, crew)
                    playing = crew
                    if asks_desks(self._policy):
                        self._confer(desks, turn.before, crew)
                    yield from ready
            except InputError:
                yield from _collected(playing)
                raise
            yield from _collected(playing)
            for each in crew:
                self._add(each.finished())

    @contextmanager
    def _at_work(self, read_while: Callable[[Callable[[], bool]], None]) -> Iterator[list[Player]]:
        context = get_context("spawn")
        parcel = packed(self._policy)
        players: list[Player] = []
        try:
            with unheard():
                for _ in range(self._workers):
                    ours, theirs = context.Pipe()
                    process = context.Process(target=play, args=(theirs, parcel, self._confirm), daemon=True)
                    players.append(Player(process, ours, read_while))
                    process.start()
                    theirs.close()
            yield players
        finally:
            for player in players:
                player.dismiss(_STOP_SECONDS)

    def _deal(self, events: list[Envelope], before: int, crew: Sequence[Player]) -> None:
        """Doubles go, everything else to the process that has its profile."""
        shares: list[list[bytes]] = [[] for _ in crew]
        workers = len(crew)
        for event in self._first_of_each(events):
            shares[shard_of(event.subject or "", workers)].append(event.body)
        for player, bodies in zip(crew, shares, strict=True):
            player.tell((before, bodies))

    def _first_of_each(self, events: list[Envelope]) -> list[Envelope]:
        by_key: dict[tuple[str, str], Envelope] = {}
        for event in events:
            if by_key.setdefault(event.key(), event) is not event:
                self.tally.count(event.counted_type, "duplicate")
        first = list(by_key.values())
        for position in reversed(self._seen.add(list(by_key))):
            self.tally.count(first.pop(position).counted_type, "duplicate")
        return first

    def _confer(self, desks: Desks, before: int, crew: Sequence[Player]) -> None:
        """The desks hear what every process has to tell, until nobody gets an answer."""
        telling = list(crew)
        while telling:
            for player in telling:
                notes: Notes = player.said()
                for service_segment, note in notes:
                    desks.hear(service_segment, note)
            shares: list[Answers] = [{} for _ in crew]
            for profile_id, answers in desks.tell((), before).items():
                shares[shard_of(profile_id, len(crew))][profile_id] = answers
            told = [(player, share) for player, share in zip(crew, shares, strict=True) if player in telling]
            for player, share in told:
                player.tell(share)
            telling = [player for player, share in told if share]

    def _add(self, tally: Tally) -> None:
        for ours, theirs in (
            (self.tally.events, tally.events),
            (self.tally.measures, tally.measures),
            (self.tally.endings, tally.endings),
            (self.tally.facts, tally.facts),
        ):
            ours.update(theirs)  # type: ignore[arg-type]


class _Ahead:
    """A history of which more is read while there is nothing else to do: up to ``most`` lines ahead."""

    def __init__(self, history: Iterator[Recorded], most: int) -> None:
        self._history: Final = history
        self._most: Final = most
        self._read: Final[deque[Recorded]] = deque()
        self._wrong: InputError | None = None

    def __iter__(self) -> Iterator[Recorded]:
        while True:
            while self._read:
                yield self._read.popleft()
            if not self._read_on():
                break
        if self._wrong is not None:
            raise self._wrong

    def read_while(self, busy: Callable[[], bool]) -> None:
        """Reads on until somebody is not busy any more, or there is enough."""
        while busy() and len(self._read) < self._most and self._read_on():
            pass

    def _read_on(self) -> bool:
        before = len(self._read)
        if self._wrong is None:
            try:
                self._read.extend(islice(self._history, _LINES_AT_ONCE))
            except InputError as wrong:
                self._wrong = wrong
        return len(self._read) > before


@contextmanager
def _manned(policy: Policy) -> Iterator[Desks]:
    lane = ThreadLane("desks")
    try:
        desks = Desks(lane, policy, False, lambda _: True)
        desks.restore({})
        yield desks
    finally:
        lane.stop(timeout_s=_STOP_SECONDS)


def _collected(crew: Sequence[Player]) -> Iterator[bytes]:
    """What leaves with a turn, of all processes, in order of time; of one instant, by profile, as decided."""
    shares: list[list[Told]] = [player.said() for player in crew]
    return map(_body, sorted(chain.from_iterable(shares), key=_place))


_place: Final = itemgetter(0, 1)
_body: Final[Callable[[Told], bytes]] = itemgetter(2)
