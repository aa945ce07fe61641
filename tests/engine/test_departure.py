"""While a batch is on its way the next is decided, and it waits only where a command may still be caught."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from domain.calendar import HOUR, MINUTE
from engine.ports import NothingLeft, OutgoingEvent
from sim.broker import MemoryBroker
from tests.engine.test_faults import account, invoice
from tests.engine.test_last_look import BLOCK_DAY, a_debtor, pay, services, withdrawn
from tests.engine.world import World

RUN = ("ACC-1", "ACC-1/1")


class Gated(MemoryBroker):
    """Publishing waits until the gate opens; ``is_away``: and then nothing leaves."""

    is_away = False

    def __init__(self, published: list[OutgoingEvent]) -> None:
        super().__init__(published.extend)
        self.gate = threading.Event()
        self.gate.set()

    def publish(self, events: Sequence[OutgoingEvent]) -> list[str]:
        assert self.gate.wait(30)
        if self.is_away:
            raise NothingLeft("the broker is away")
        return super().publish(events)


@pytest.fixture
def world() -> Iterator[World]:
    """A debtor whose block is decided and cannot leave yet."""
    world = a_debtor()
    gated = Gated(world.published)
    world.broker = gated
    world.settings = replace(world.settings, pipelined=True)
    world.start()
    gated.gate.clear()
    world.engine.turn([], BLOCK_DAY)
    yield world
    gated.gate.set()
    world.engine.end()


def gate_of(world: World) -> Gated:
    assert isinstance(world.broker, Gated)
    return world.broker


def test_only_for_the_runs_whose_commands_are_on_their_way_something_may_wait(world: World) -> None:
    assert world.engine.departure.may_wait({RUN})
    assert not world.engine.departure.may_wait({("ACC-2", "ACC-2/1")})
    gate_of(world).gate.set()
    world.engine.settle()
    assert not world.engine.departure.may_wait({RUN})


def test_what_could_not_leave_may_wait_while_a_later_batch_is_on_its_way(world: World) -> None:
    gated = gate_of(world)
    gated.is_away = True
    gated.gate.set()
    world.engine.settle()
    gated.gate.clear()
    world.broker.offer(account(20, "ACC-2", BLOCK_DAY))
    world.broker.offer(invoice(21, "ACC-2", BLOCK_DAY))
    world.engine.turn(world.broker.receive(10, 0), BLOCK_DAY + 1)
    assert world.engine.departure.may_wait({RUN})


@pytest.mark.parametrize(("is_away", "left"), [(True, []), (False, ["block-internet", "unblock-internet"])])
def test_a_payment_waits_to_see_whether_the_block_has_left(world: World, is_away: bool, left: list[str]) -> None:
    gated = gate_of(world)
    gated.is_away = is_away
    pay(world, BLOCK_DAY + MINUTE)
    opens = threading.Timer(0.2, gated.gate.set)
    opens.start()
    world.engine.turn(world.broker.receive(10, 0), BLOCK_DAY + 2 * MINUTE)  # within the horizon: nothing else waits
    opens.join()
    world.engine.settle()
    gated.is_away = False
    world.turn(BLOCK_DAY + 3 * HOUR)
    assert services(world) == left
    assert len(withdrawn(world)) == (2 if is_away else 0)
