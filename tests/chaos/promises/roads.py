"""Roads: answers that vanish, bindings that are gone, connections that are dead without being closed, and too much."""

import time
from random import Random
from typing import Final

import psutil

from tests.chaos.field import Field
from tests.chaos.ground import Ground
from tests.chaos.promises.counts import times
from tests.chaos.receiver import QUEUE
from tests.chaos.script import script
from tests.services.plain_client import PlainClient
from tests.services.proxy import Proxy

MEMORY_BYTES_MAX: Final = 500 * 2**20


def r5(field: Field, share: float) -> str:
    """An unknown COMMIT is resolved: what the database answers vanishes, then the connection is cut."""
    cuts = times(500, share)
    with Proxy("127.0.0.1", field.postgres.port) as proxy, field.ground() as ground:
        ground.through(postgres_port=proxy.port)
        ground.node()
        ground.wait_ready()
        ground.load(100, cuts + 60, 400)
        lost = _swallow_answers(ground, proxy, cuts, field.chance("R5"))
        ground.enough()
        return f"{cuts} cuts, {lost} with an answer that was lost: {ground.clean(late=False)}"


def r6(field: Field, share: float) -> str:
    """An unknown publication is sent again: the broker's confirmations vanish, then the connection is cut."""
    cuts = times(500, share)
    with Proxy("127.0.0.1", field.rabbit.port) as proxy, field.ground() as ground:
        ground.through(rabbit_port=proxy.port)
        ground.node()
        ground.wait_ready()
        ground.load(100, 2 * cuts + 60, 400)
        lost = _swallow_answers(ground, proxy, cuts, field.chance("R6"))
        ground.enough()
        return f"{cuts} cuts, {lost} with answers that were lost: {ground.clean(late=False)}"


def _swallow_answers(ground: Ground, proxy: Proxy, cuts: int, rng: Random) -> int:
    """Each time when the node works again; how many times something was swallowed."""
    lost = 0
    for _ in range(cuts):
        ground.wait_until_it_works(ground.nodes[0], 30)
        time.sleep(rng.uniform(0.0, 0.3))
        before = proxy.swallowed_bytes
        proxy.swallows_answers = True
        time.sleep(rng.uniform(0.02, 0.2))
        proxy.heal()
        lost += proxy.swallowed_bytes > before
    return lost


def r7(field: Field, share: float) -> str:
    """What nobody is bound for is not sent: it stays in the outbox, is told of, and leaves when there is somebody."""
    with field.ground() as ground:
        node = ground.node()
        ground.wait_ready()
        with PlainClient(ground.rabbit_url) as plain:
            plain.unbind(QUEUE, "dms.out", "#")
            ground.load(20, 4, 100)
            ground.wait(lambda: node.reading("dms_outbox_pending") > 0, "events are pending", 30)
            told = ground.wait(lambda: any("no queue is bound" in line for line in node.said()), "it is told of", 10)
            ground.wait_published()
            ground.wait(lambda: node.worked >= ground.published.events, "all is worked", 30)
            time.sleep(2.0)
            pending = node.reading("dms_outbox_pending")
            stored = ground.count("SELECT count(*) FROM outbox WHERE state = 'pending'")
            assert ground.seen_bytes() == 0
            assert pending == stored > 100, (pending, stored)
            plain.bind_existing(QUEUE, "dms.out", "#")
        return f"{stored} stayed pending, told of within {told:.1f} s: {ground.clean(late=False)}"


def r25(field: Field, share: float) -> str:
    """Overload: as much as can be published, with the broker's memory alarm in the middle; then it recovers."""
    with field.ground() as ground:
        node = ground.node()
        ground.wait_ready()
        assert node.process is not None
        process = psutil.Process(node.process.pid)
        ground.publish(script(field.seed, times(4_000, share), times(400_000, share)))
        time.sleep(2.0)
        field.rabbit.raise_memory_alarm()
        time.sleep(10.0)
        field.rabbit.end_memory_alarm()
        most = 0
        while ground.is_publishing or node.reading("dms_outbox_pending"):
            most = max(most, process.memory_info().rss)
            time.sleep(0.5)
        verdict = ground.clean(late=False)
        assert most < MEMORY_BYTES_MAX, f"{most / 2**20:.0f} MiB"
        return f"{ground.published.events} events at once, at most {most / 2**20:.0f} MiB: {verdict}"


def r26(field: Field, share: float) -> str:
    """Half-dead connections: for a while nothing arrives, and nothing is closed."""
    dark = 90.0 if share == 1 else 40.0
    with (
        Proxy("127.0.0.1", field.rabbit.port) as rabbit,
        Proxy("127.0.0.1", field.postgres.port) as postgres,
        field.ground() as ground,
    ):
        ground.through(rabbit.port, postgres.port)
        node = ground.node()
        ground.wait_ready()
        ground.load(100, 2 * dark + 120, 100)
        told = []
        back = []
        for proxy in (rabbit, postgres):
            time.sleep(2.0)
            proxy.is_black_hole = True
            began = time.monotonic()
            told.append(ground.wait(lambda: node.ask("/readyz")[0] == 503, "it is noticed", 30))
            time.sleep(max(0.0, dark - (time.monotonic() - began)))
            proxy.heal()
            back.append(ground.wait_until_it_works(node, 60))
        ground.enough()
        return (
            f"{dark:.0f} s each; noticed within {max(told):.0f} s, consuming within {max(back):.0f} s: {ground.clean()}"
        )
