"""Bodies that come through this process are answered when they are durable, each for itself."""

from collections.abc import Iterator, Sequence
from typing import cast

import pytest

from adapters.forwarding import ForwardingMailbox
from adapters.rabbit_broker import RabbitBroker
from tests.contracts.broker_contract import until

EVENT = b'{"id":"1","subject":"ACC-1"}'


class Choosy:
    """A broker that takes no dead letters while it is ``full``."""

    def __init__(self) -> None:
        self.full = True
        self.forwarded: list[bytes] = []
        self.dead: list[bytes] = []

    def forward(self, bodies: Sequence[tuple[int, bytes]]) -> None:
        self.forwarded.extend(body for _, body in bodies)

    def dead_letter(self, body: bytes, reason: str) -> None:
        if self.full:
            raise ConnectionError("full")
        self.dead.append(body)


@pytest.fixture
def broker() -> Choosy:
    return Choosy()


@pytest.fixture
def mailbox(broker: Choosy) -> Iterator[ForwardingMailbox]:
    mailbox = ForwardingMailbox(cast(RabbitBroker, broker), 4)
    mailbox.start()
    yield mailbox
    mailbox.stop()


def test_a_dead_letter_that_is_not_taken_holds_up_no_other_body(broker: Choosy, mailbox: ForwardingMailbox) -> None:
    mixed = mailbox.offer(b"[7," + EVENT + b"]")
    mailbox.offer(EVENT).result(10)
    assert not mixed.done()
    broker.full = False
    mixed.result(10)
    assert broker.dead == [b"7"]
    assert until(lambda: mailbox.dead_letters == 1)
    assert b"".join(broker.forwarded).count(EVENT) == 2
