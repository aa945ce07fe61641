"""Owners: one writer for a profile, whatever becomes of nodes and of ZooKeeper; and one policy for all of them."""

import random
import signal
import subprocess
import threading
import time
from collections import Counter

from tests.adapters.run_process import DMS, environment
from tests.chaos.field import Field
from tests.chaos.ground import LEASE_SECONDS, POLICY, SHARDS, Ground
from tests.chaos.promises.counts import times
from tests.chaos.promises.deaths import freeze, owned_by
from tests.chaos.script import debts


def r10(field: Field, share: float) -> str:
    """One writer for a profile: a node is frozen for longer than its lease and session, and goes on as if nothing.

    In one round of ten it stays frozen until others have worked all its shards, which takes until RabbitMQ misses it.
    """
    rounds = times(200, share)
    worked: list[float] = []
    with field.shared_ground() as ground:
        nodes = [ground.node(), ground.node()]
        ground.wait_ready()
        ground.load(200, rounds * 12 + 120, 180)
        for number in range(rounds):
            frozen = nodes[number % 2]
            time.sleep(1.0)
            freeze(ground, frozen)
            if number % 10 == 9:
                since = time.time_ns() // 1_000
                worked.append(ground.wait(lambda since=since: _shards_at_work(ground, since) == SHARDS,  # type: ignore[misc]
                                          "others work all shards", 60))  # fmt: skip
            frozen.send(signal.SIGCONT)
        ground.enough()
        verdict = ground.clean()
        refused = sum("is not ours any more" in line for node in nodes for line in node.said())
        slowest = f", all shards worked by others within {max(worked):.0f} s" if worked else ""
        return f"{rounds} rounds{slowest}, {refused} late commits refused, 0 taken: {verdict}"


def _shards_at_work(ground: Ground, since: int) -> int:
    """The shards in which something was decided after an instant."""
    return ground.count("SELECT count(DISTINCT shard) FROM journal WHERE at > %s", since)


def r11(field: Field, share: float) -> str:
    """Without ZooKeeper: stopped under load, then wiped and started again."""
    away = 600 * share
    with field.shared_ground() as ground:
        nodes = [ground.node(), ground.node()]
        ground.wait_ready()
        ground.load(100, away + 60, 200)
        field.zookeeper.kill()
        time.sleep(away)
        assert all(node.is_alive for node in nodes)
        worked = [node.worked for node in nodes]
        field.zookeeper.wipe()
        field.zookeeper.start()
        ground.wait(lambda: all(node.worked > before for node, before in zip(nodes, worked, strict=True)),
                    "all go on", 30)  # fmt: skip
        ground.enough()
        verdict = ground.clean()
        assert set(_owners(ground).values()) == {node.name for node in nodes}
        ground.wait_ready()
        return f"{away:.0f} s without it, then wiped: {verdict}"


def r12(field: Field, share: float) -> str:
    """Nodes come and go under load: who joins takes its share and no more, and no shard stands still for long."""
    moves = times(100, share)
    rng = field.chance("R12")
    moved: list[float] = []
    with field.shared_ground() as ground:
        for _ in range(2):
            ground.node()
        ground.wait_ready()
        ground.load(200, moves * 20 + 60, 150)
        watch = PauseWatch(ground)
        watch.start()
        for _ in range(moves):
            time.sleep(rng.uniform(1, 2))
            before = _owners(ground)
            if _move(ground, rng):
                watch.crashed()
            _wait_shared(ground)
            after = _owners(ground)
            nodes = max(len(set(before.values())), len(set(after.values())))
            moved.append(sum(before[shard] != after[shard] for shard in before) / (SHARDS / nodes))
        watch.end()
        ground.enough()
        verdict = ground.clean()
        assert watch.in_order <= 5, watch.in_order
        assert watch.after_crash <= LEASE_SECONDS + 5, watch.after_crash
        assert max(moved) <= 1.2, moved
        return (
            f"{moves} moves of at most {max(moved):.2f} x shards ÷ nodes, pauses up to {watch.in_order:.1f} s, after a "
            f"crash {watch.after_crash:.1f} s: {verdict}"
        )


def _move(ground: Ground, rng: random.Random) -> bool:
    """One node comes, stops, or dies; whether it died."""
    living = [node for node in ground.nodes if node.is_alive]
    if len(living) < 3:
        dead = [node for node in ground.nodes if not node.is_alive]
        newcomer = dead[0].start() if dead else ground.node()
        ground.wait(lambda: owned_by(ground, newcomer) > 0, "it works", 30)
        return False
    gone = rng.choice(living)
    if rng.random() < 0.5:
        gone.stop()
        return False
    gone.kill()
    return True


def _owners(ground: Ground) -> dict[int, str]:
    """The name of the node that has each shard."""
    rows = ground.rows("SELECT shard, owner FROM shards ORDER BY shard")
    return {int(str(shard)): str(owner).partition("/")[0] for shard, owner in rows}


def _wait_shared(ground: Ground) -> None:
    """Until the shards are with those that live, in fair shares."""
    living = {node.name for node in ground.nodes if node.is_alive}

    def is_shared() -> bool:
        counted = Counter(_owners(ground).values())
        return set(counted) == living and min(counted.values()) >= SHARDS // len(living)

    ground.wait(is_shared, "all who live have their share", 40)


class PauseWatch(threading.Thread):
    """Sees how long shards are without an owner whose lease holds: ``in_order`` and ``after_crash``, in seconds."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(name="pauses", daemon=True)
        self.in_order = 0.0
        self.after_crash = 0.0
        self._ground = ground
        self._ended = threading.Event()
        self._crashed_at = float("-inf")

    def crashed(self) -> None:
        """A node has just died: pauses from now on, and the one under way, are its."""
        self._crashed_at = time.monotonic()

    def end(self) -> None:
        """Watches no more."""
        self._ended.set()
        self.join()

    def run(self) -> None:
        """Looks ten times a second."""
        since: dict[int, float] = {}
        while not self._ended.wait(0.1):
            rows = self._ground.rows(
                "SELECT s.shard FROM shards s LEFT JOIN owners o ON o.owner = s.owner "
                "WHERE o.owner IS NULL OR o.lease_until < clock_timestamp()"
            )
            without = {int(str(row[0])) for row in rows}
            now = time.monotonic()
            for shard in without:
                since.setdefault(shard, now)
            for shard in [each for each in since if each not in without]:
                began = since.pop(shard)
                if began - 1.0 <= self._crashed_at <= now or began - self._crashed_at < LEASE_SECONDS + 1.0:
                    self.after_crash = max(self.after_crash, now - began)
                else:
                    self.in_order = max(self.in_order, now - began)


def policy_under_load(field: Field, share: float) -> str:
    """A policy is published under load: it takes effect once for each profile, on every node, and nowhere twice."""
    count = times(2_000, share)
    with field.shared_ground(policy="zookeeper:") as ground:
        _publish(ground, 1, "everyone")
        nodes = [ground.node(), ground.node()]
        ground.wait_ready()
        ground.publish(debts(count, "STILL", region="S"))
        ground.wait_published()
        ground.wait(lambda: sum(node.worked for node in nodes) >= 2 * count, "all is worked")
        load = ground.load(100, 120, 200)
        time.sleep(2.0)
        _publish(ground, 2, "all")
        ground.wait(lambda: len(_moved(ground)) >= count, "all are moved", 60)
        nodes[0].kill()
        nodes[0].start()
        time.sleep(3.0)
        load.end()
        ground.wait_published()
        ground.wait(lambda: not sum(node.reading("dms_outbox_pending") for node in nodes), "all has left")
        time.sleep(1.0)
        moved = Counter(_moved(ground))
        assert len(moved) == count, len(moved)
        assert set(moved.values()) == {1}, moved.most_common(3)
        ground.verified()
        return f"{count} profiles on two nodes: each moved to the other segment once"


def _publish(ground: Ground, version: int, segment: str) -> None:
    """Publishes the usual policy with another name for the segment of the rest."""
    text = POLICY.replace("version = 1", f"version = {version}").replace('"everyone"', f'"{segment}"')
    (ground.folder / "next.toml").write_text(text)
    done = subprocess.run(
        [*DMS, "policy", "publish", "next.toml", "--config", "dms.toml"],
        cwd=ground.folder, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-500:]


def _moved(ground: Ground) -> list[str]:
    """The subjects of the moves, of those of whom nothing else is told."""
    return [
        event["subject"]
        for event in ground.seen().events
        if event["type"] == "dms.segment.changed.v1"
        and event["subject"].startswith("STILL-")
        and event["data"]["policy_segment"] == "all"
    ]
