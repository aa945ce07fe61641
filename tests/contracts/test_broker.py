"""The contract of brokers, over every implementation."""

from collections.abc import Iterator

import pytest

from adapters.rabbit_broker import RabbitBroker
from adapters.rabbit_link import RabbitAddress
from adapters.rabbit_topology import DEAD, OUT, REASON
from adapters.rabbit_topology import SHARDS as BY_SHARD
from engine.ports import Broker, OutgoingEvent
from sim.broker import MemoryBroker
from sim.shard_broker import ShardBroker, ShardServer
from tests.contracts.broker_contract import SHARDS, BrokerContract, ServerContract, World
from tests.services.plain_client import PlainClient
from tests.services.rabbit_hosts import hosts, rabbit_url

__all__ = ["hosts", "rabbit_url"]


class InProcess:
    """One queue for one engine: who offers and who receives are in the same process."""

    def __init__(self) -> None:
        self._left: list[OutgoingEvent] = []
        self.memory = MemoryBroker(self._left.extend)
        self.broker: Broker = self.memory

    def another(self) -> Broker:
        raise NotImplementedError("there is but one client")

    def crash(self, broker: Broker) -> None:
        raise NotImplementedError("it ends with its process")

    def put(self, shard: int, *bodies: bytes) -> None:
        for body in bodies:
            self.memory.offer(body)

    def left(self) -> list[tuple[str, bytes]]:
        left, self._left[:] = list(self._left), []
        return [(event.routing_key, event.body) for event in left]

    def bind(self, routing_key: str) -> None:
        """The sink takes everything."""

    def unbind(self, routing_key: str) -> None:
        raise NotImplementedError("the sink takes everything")

    def dead(self) -> list[tuple[bytes, str]]:
        return list(self.memory.dead_letters)


class Twin:
    """The server in memory."""

    def __init__(self) -> None:
        self.server = ShardServer(SHARDS)
        self.broker: Broker = self.server.connect()

    def another(self) -> Broker:
        return self.server.connect()

    def crash(self, broker: Broker) -> None:
        assert isinstance(broker, ShardBroker)
        broker.crash()

    def put(self, shard: int, *bodies: bytes) -> None:
        for body in bodies:
            self.server.put(shard, body)

    def left(self) -> list[tuple[str, bytes]]:
        left, self.server.left[:] = list(self.server.left), []
        return [(event.routing_key, event.body) for event in left]

    def bind(self, routing_key: str) -> None:
        self.server.listening.add(routing_key)

    def unbind(self, routing_key: str) -> None:
        self.server.listening.remove(routing_key)

    def dead(self) -> list[tuple[bytes, str]]:
        return list(self.server.dead_letters)


class Real:
    """RabbitMQ, and a client that is not ours on the other side."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._clients: list[RabbitBroker] = []
        self.broker: Broker = self.another()
        self.plain = PlainClient(url)

    def another(self) -> Broker:
        broker = RabbitBroker(RabbitAddress(url=self._url), SHARDS)
        self._clients.append(broker)
        broker.start()
        return broker

    def crash(self, broker: Broker) -> None:
        assert isinstance(broker, RabbitBroker)
        broker.disconnect()

    def put(self, shard: int, *bodies: bytes) -> None:
        self.plain.publish(BY_SHARD, str(shard), *bodies)

    def left(self) -> list[tuple[str, bytes]]:
        return [(method.routing_key, body) for method, _, body in self.plain.get("receiver")]

    def bind(self, routing_key: str) -> None:
        self.plain.bind("receiver", OUT, routing_key)

    def unbind(self, routing_key: str) -> None:
        self.plain.unbind("receiver", OUT, routing_key)

    def dead(self) -> list[tuple[bytes, str]]:
        return [(body, str(properties.headers[REASON])) for _, properties, body in self.plain.get(DEAD)]

    def close(self) -> None:
        self.plain.close()
        for client in self._clients:
            client.disconnect()


@pytest.fixture
def real(rabbit_url: str) -> Iterator[Real]:
    world = Real(rabbit_url)
    try:
        yield world
    finally:
        world.close()


class TestInProcess(BrokerContract):
    """What a single node without a server runs on."""

    @pytest.fixture
    def world(self) -> World:
        return InProcess()


class TestTwin(BrokerContract, ServerContract):
    """The server of the seeded world."""

    @pytest.fixture
    def world(self) -> World:
        twin = Twin()
        twin.broker.subscribe(range(SHARDS))
        return twin


@pytest.mark.services
class TestRabbit(BrokerContract, ServerContract):
    """RabbitMQ itself."""

    @pytest.fixture
    def world(self, real: Real) -> World:
        real.broker.subscribe(range(SHARDS))
        return real
