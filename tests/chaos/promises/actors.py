"""Actors that fail: alone, and again and again."""

import json
import time
from typing import Any

from actors.segment import TRIES_MAX
from tests.chaos.field import Field
from tests.chaos.ground import Ground
from tests.chaos.odd_node import FAULT
from tests.chaos.promises.counts import times
from tests.chaos.script import Script, script


def r13(field: Field, share: float) -> str:
    """A failing actor is alone: one payment in a hundred raises, SystemExit among what it raises."""
    with field.ground() as ground:
        node = ground.node("--fails-once", "0.01")
        ground.wait_ready()
        first = node.process
        some = script(field.seed, 200, times(100_000, share))
        ground.publish(some)
        verdict = ground.clean(late=False)
        assert node.is_alive
        assert node.process is first
        failures, exits = (sum(word in line for line in node.said()) for word in (FAULT, "SystemExit"))
        assert failures > exits > 0, (failures, exits)
        return f"{failures} of {len(_payments(some))} payments failed once, {exits} with SystemExit: {verdict}"


def r14(field: Field, share: float) -> str:
    """Poison is quarantined with what waits behind it, nobody else is held up, and it is worked when that is mended."""
    calm, stormy = (script(field.seed + part, 50, 2_000, first=10_000 * part) for part in (0, 1))
    payments = _payments(stormy)
    poison = payments[len(payments) // 2]
    subject = poison["subject"]
    behind = sum(json.loads(line)["subject"] == subject for line in stormy.lines)
    with field.ground() as ground:
        node = ground.node("--poison", poison["data"]["payment_id"])
        ground.wait_ready()
        before = _slowest(ground, calm)
        during = _slowest(ground, stormy)
        assert during <= max(2 * before, 0.2), (before, during)
        ground.wait(lambda: node.worked >= ground.published.events, "all is worked", 60)
        assert ground.count("SELECT count(DISTINCT profile_id) FROM quarantine") == 1
        waiting = ground.count("SELECT count(*) FROM quarantine")
        assert 0 < waiting <= behind
        tries = sum(FAULT in line for line in node.said())
        assert tries == TRIES_MAX, tries
        node.stop()
        node.start()
        ground.wait_ready()
        status, said = node.ask(f"/api/v1/quarantine/{subject}", {"actor": "orlova"})
        assert status == 202, said
        ground.wait(lambda: not ground.count("SELECT count(*) FROM quarantine"), "nothing is left in it", 30)
        return (
            f"{waiting} events of one profile waited and were released; the others' 99th percentile {1e3 * before:.0f} "
            f"ms before it, {1e3 * during:.0f} ms with it: {ground.clean()}"
        )


def _payments(some: Script) -> list[dict[str, Any]]:
    """The sound payments of a script, each once."""
    events = [json.loads(line) for line in some.lines]
    return [each for each in events if "payment.received" in each["type"] and each["data"]["amount"] != "much"]


def _slowest(ground: Ground, some: Script) -> float:
    """Publishes a script at half of what a node can do; the 99th percentile from there to the receiver, in seconds."""
    since = time.time_ns()
    ground.publish(some, rate=200)
    ground.wait_published()
    time.sleep(2.0)
    delays = ground.delays(since)
    assert len(delays) > 50, len(delays)
    return delays[int(len(delays) * 0.99)]
