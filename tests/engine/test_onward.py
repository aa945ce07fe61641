"""What has to go elsewhere before it is acknowledged holds up nobody but itself."""

from collections.abc import Sequence

from domain.calendar import HOUR
from engine.intake import Intake
from engine.onward import Onward
from engine.ports import OutgoingEvent
from sim.broker import MemoryBroker
from tests.engine.test_faults import START, TELECOM, account, invoice
from tests.engine.world import World


class Choosy(MemoryBroker):
    """Takes no dead letters while it is ``full``, and nothing for the shards that are ``gone``."""

    def __init__(self, published: list[OutgoingEvent]) -> None:
        super().__init__(published.extend)
        self.full = False
        self.gone: set[int] = set()
        self.forwarded: list[tuple[int, bytes]] = []

    def dead_letter(self, body: bytes, reason: str) -> None:
        if self.full:
            raise ConnectionError("the queue of dead letters is full")
        super().dead_letter(body, reason)

    def forward(self, bodies: Sequence[tuple[int, bytes]]) -> None:
        if not self.gone.isdisjoint(shard for shard, _ in bodies):
            raise ConnectionError("no queue")
        self.forwarded.extend(bodies)


def test_a_body_that_the_dead_letters_do_not_take_waits_alone_and_unacknowledged() -> None:
    world = World(TELECOM)
    choosy = world.broker = Choosy(world.published)
    world.start()
    choosy.full = True
    for body in (account(1, "ACC-1", START), b"no event", invoice(2, "ACC-1", START + HOUR)):
        choosy.offer(body)
    world.turn(START + 2 * HOUR)
    assert world.store.load(["ACC-1"])["ACC-1"].version > 1
    assert choosy.unfinished == 1
    assert isinstance(world.engine.departure.failure, ConnectionError)
    world.engine.rest()
    assert choosy.unfinished == 1
    choosy.full = False
    world.engine.rest()
    assert choosy.unfinished == 0
    assert [body for body, _ in choosy.dead_letters] == [b"no event"]


def test_what_comes_again_after_a_failure_is_passed_on_once() -> None:
    world = World(TELECOM)
    choosy = world.broker = Choosy(world.published)
    world.start()
    choosy.full = True
    choosy.offer(b"no event")
    world.turn(START)
    world.engine._recover()
    choosy.full = False
    world.turn(START + 1)
    assert choosy.unfinished == 0
    assert [body for body, _ in choosy.dead_letters] == [b"no event"]


def test_events_for_a_shard_that_takes_nothing_keep_their_order_and_hold_up_no_other_shard() -> None:
    broker = Choosy([])
    onward = Onward(broker)
    broker.gone = {3}
    assert onward.pass_on(Intake(misdirected=[(1, 3, b"a"), (2, 5, b"b")], tags=[1, 2, 4])) == [2, 4]
    assert onward.pass_on(Intake(misdirected=[(6, 3, b"c")], tags=[6, 7])) == [7]
    broker.gone = set()
    assert onward.pass_on(Intake()) == [1, 6]
    assert broker.forwarded == [(5, b"b"), (3, b"a"), (3, b"c")]
    assert len(onward) == 0
