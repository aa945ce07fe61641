"""Deaths: of nodes and workers, of the broker, of the database, and the orderly end."""

import os
import signal
import time
from contextlib import suppress

from tests.chaos.field import Field
from tests.chaos.ground import Ground
from tests.chaos.node import Node
from tests.chaos.promises.counts import times


def r1(field: Field, share: float) -> str:
    """A crash anywhere is harmless: `kill -9` of nodes and of single workers, at random moments under load."""
    rng = field.chance("R1")
    kills = times(100, share)
    counted = {"node": 0, "worker": 0}
    with field.ground() as ground:
        single, many = ground.node(), ground.node(workers=2)
        ground.wait_ready()
        ground.load(200, kills * 8 + 30, 400)
        for _ in range(kills):
            time.sleep(rng.uniform(0.5, 4.0))
            victims = many.worker_pids()
            if victims and rng.random() < 0.5:
                with suppress(ProcessLookupError):
                    os.kill(rng.choice(victims), signal.SIGKILL)
                counted["worker"] += 1
            else:
                _replace(rng.choice((single, many)))
                counted["node"] += 1
        ground.enough()
        return f"{counted['node']} kills of nodes, {counted['worker']} of workers: {ground.clean()}"


def _replace(node: Node) -> None:
    """Kills it, and starts it again at once; workers that it leaves behind end by themselves."""
    node.kill()
    node.start()


def r3(field: Field, share: float) -> str:
    """The broker dies: its node is killed under 200 events a second."""
    rng = field.chance("R3")
    kills = times(50, share)
    back: list[float] = []
    with field.ground() as ground:
        node = ground.node()
        ground.wait_ready()
        first = node.process
        ground.load(100, kills * 30 + 30, 200)
        for _ in range(kills):
            time.sleep(rng.uniform(2, 5))
            field.rabbit.kill()
            time.sleep(rng.uniform(0, 2))
            field.rabbit.start()
            back.append(ground.wait_until_it_works(node, 60))
        ground.enough()
        verdict = ground.clean()
        assert node.is_alive
        assert node.process is first
        assert max(back) <= 30, back
        return f"{kills} kills, consuming again within {max(back):.1f} s: {verdict}"


def r4(field: Field, share: float) -> str:
    """The database dies: stopped at once, every few seconds."""
    rng = field.chance("R4")
    seconds = 600 * share
    until = time.monotonic() + seconds
    back: list[float] = []
    with field.ground() as ground:
        node = ground.node()
        ground.wait_ready()
        ground.load(200, seconds + 60, 250)
        while time.monotonic() < until:
            time.sleep(rng.uniform(5, 40 if share == 1 else 10))
            field.postgres.stop()
            field.postgres.start()
            back.append(ground.wait_until_it_works(node, 30))
        ground.enough()
        verdict = ground.clean()
        assert node.is_alive
        assert max(back) <= 10, back
        return f"{len(back)} stops, working again within {max(back):.1f} s: {verdict}"


def r27(field: Field, share: float) -> str:
    """Stop: SIGTERM under load, again and again."""
    rng = field.chance("R27")
    stops = times(100, share)
    took = []
    with field.ground() as ground:
        node = ground.node()
        ground.wait_ready()
        ground.load(200, stops * 15 + 30, 400)
        for _ in range(stops):
            time.sleep(rng.uniform(0.2, 2.0))
            took.append(node.stop())
            node.start()
            ground.wait_ready()
        ground.enough()
        assert max(took) <= 15, took
        return f"{stops} stops, each within {max(took):.1f} s: {ground.clean()}"


def short(field: Field) -> str:
    """What is tried with every change: one ground, one load, and each part of it dies once or twice."""
    with field.shared_ground() as ground:
        nodes = [ground.node(), ground.node()]
        ground.wait_ready()
        ground.load(100, 120, 250)
        time.sleep(1.0)
        _replace(nodes[0])
        ground.wait_ready()
        field.postgres.stop()
        field.postgres.start()
        ground.wait_until_it_works(nodes[0], 30)
        field.rabbit.kill()
        field.rabbit.start()
        ground.wait_until_it_works(nodes[1], 30)
        freeze(ground, nodes[1])
        nodes[1].send(signal.SIGCONT)
        time.sleep(1.0)
        _replace(nodes[1])
        ground.enough()
        return ground.clean()


def freeze(ground: Ground, node: Node) -> None:
    """Stops it still until others have its shards."""
    node.send(signal.SIGSTOP)
    ground.wait(lambda: not owned_by(ground, node), "its shards are others'", 30)


def owned_by(ground: Ground, node: Node) -> int:
    """How many shards a node works, by the store."""
    return ground.count("SELECT count(*) FROM shards WHERE owner LIKE %s", f"{node.name}/%")
