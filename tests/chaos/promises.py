"""The promises, each a function that breaks something and returns its figures in a line, or raises AssertionError.

``share`` is of the counts of a release: 0.1 by default, 1 with ``FULL=1``.
"""

import hashlib
import json
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psutil

from adapters.state_codec import decode_state
from domain.snapshot import thaw
from tests.chaos.field import LEASE_SECONDS, POLICY, SHARDS, Field, Ground, Node
from tests.chaos.script import Script, script
from tests.services.plain_client import PlainClient
from tests.services.proxy import Proxy


def times(count: int, share: float) -> int:
    """So many of a release's."""
    return max(1, round(count * share))


@contextmanager
def zookeeper(field: Field, **settings: str) -> Iterator[Ground]:
    """A ground whose nodes meet in ZooKeeper."""
    name = f"/g{random.randrange(10**9)}"
    with field.ground(coordination=f"zookeeper://{field.zookeeper.host}{name}", **settings) as ground:
        yield ground


def r1(field: Field, share: float) -> str:
    """A crash anywhere is harmless: `kill -9` of either of two nodes, at random moments under load."""
    rng = random.Random(1)
    kills = times(100, share)
    with field.ground() as ground:
        nodes = [ground.node(), ground.node()]
        ground.wait_ready()
        ground.load(1, 200, 10_000 * kills, rate=400)
        for number in range(kills):
            time.sleep(rng.uniform(0.5, 4.0))
            victim = nodes[number % 2]
            victim.kill()
            victim.start()
        ground.enough()
        return f"{kills} kills: {ground.clean()}"


def r3(field: Field, share: float) -> str:
    """The broker dies: its node is killed under 200 events a second."""
    kills = times(50, share)
    back: list[float] = []
    with field.ground() as ground:
        node = ground.node()
        ground.wait_ready()
        ground.load(3, 100, 20_000 * kills, rate=200)
        for _ in range(kills):
            time.sleep(random.Random(kills).uniform(2, 5))
            field.rabbit.kill()
            time.sleep(1.0)
            field.rabbit.start()
            worked = node.reading("dms_events_total")
            back.append(ground.wait(lambda worked=worked: node.reading("dms_events_total") > worked,  # type: ignore[misc]
                                    "it consumes again", 40))  # fmt: skip
        ground.enough()
        verdict = ground.clean()
        assert node.is_alive
        assert max(back) <= 30, back
        return f"{kills} kills, consuming again within {max(back):.1f} s: {verdict}"


def r4(field: Field, share: float) -> str:
    """The database dies: stopped at once, every few seconds."""
    rng = random.Random(4)
    until = time.monotonic() + 600 * share
    stops = 0
    back: list[float] = []
    with field.ground() as ground:
        node = ground.node()
        ground.wait_ready()
        ground.load(4, 200, int(600 * 600 * share), rate=250)
        while time.monotonic() < until:
            time.sleep(rng.uniform(5, 15 if share < 1 else 40))
            field.postgres.stop()
            field.postgres.start()
            stops += 1
            worked = node.reading("dms_events_total")
            back.append(ground.wait(lambda worked=worked: node.reading("dms_events_total") > worked,  # type: ignore[misc]
                                    "it works again", 30))  # fmt: skip
        ground.enough()
        verdict = ground.clean()
        assert node.is_alive
        assert max(back) <= 10, back
        return f"{stops} stops, working again within {max(back):.1f} s: {verdict}"


def r5(field: Field, share: float) -> str:
    """An unknown COMMIT is resolved: what the database answers vanishes, then the connection is cut."""
    cuts = times(500, share)
    with Proxy("127.0.0.1", field.postgres.port) as proxy, field.ground() as ground:
        url = ground.store_url.replace(f":{field.postgres.port}/", f":{proxy.port}/")
        ground.set({"store": url})
        ground.node()
        ground.wait_ready()
        ground.load(5, 100, 1_000 * cuts, rate=400)
        rng = random.Random(5)
        swallowed = 0
        for _ in range(cuts):
            time.sleep(rng.uniform(0.05, 0.4))
            before = proxy.swallowed_bytes
            proxy.swallows_answers = True
            time.sleep(0.1)
            proxy.heal()
            swallowed += proxy.swallowed_bytes > before
        ground.enough()
        ground.set({})
        return f"{cuts} cuts, {swallowed} with an answer that was lost: {ground.clean()}"


def r6(field: Field, share: float) -> str:
    """An unknown publication is sent again: the broker's confirmations vanish, then the connection is cut."""
    cuts = times(500, share)
    with Proxy("127.0.0.1", field.rabbit.port) as proxy, field.ground() as ground:
        url = ground.rabbit_url.replace(f":{field.rabbit.port}/", f":{proxy.port}/").replace("guest:guest@", "guest@")
        ground.set({"broker__url": url})
        ground.node()
        ground.wait_ready()
        ground.load(6, 100, 1_000 * cuts, rate=400)
        rng = random.Random(6)
        swallowed = 0
        for _ in range(cuts):
            time.sleep(rng.uniform(0.2, 0.8))
            before = proxy.swallowed_bytes
            proxy.swallows_answers = True
            time.sleep(0.05)
            proxy.heal()
            swallowed += proxy.swallowed_bytes > before
        ground.enough()
        return f"{cuts} cuts, {swallowed} with answers that were lost: {ground.clean()}"


def r7(field: Field, share: float) -> str:
    """What nobody is bound for is not sent: it stays in the outbox, is told of, and leaves when there is somebody."""
    with field.ground() as ground:
        node = ground.node()
        ground.wait_ready()
        with PlainClient(ground.rabbit_url) as plain:
            plain.unbind("receiver", "dms.out", "#")
            ground.load(7, 20, 400)
            ground.published()
            pending = ground.wait(lambda: node.reading("dms_outbox_pending") > 100, "events are pending", 30)
            told = ground.wait(lambda: any("no queue is bound" in line for line in node.said()), "it is told of", 10)
            time.sleep(2.0)
            assert not ground.seen.stat().st_size
            left = node.reading("dms_outbox_pending")
            plain.bind_existing("receiver", "dms.out", "#")
        return f"{left:.0f} stayed pending after {pending:.1f} s, told within {told:.1f} s more: {ground.clean()}"


def r8(field: Field, share: float) -> str:
    """Duplicates have no effect: each event one to five times, on two nodes, comes to the same state as once."""
    some = script(8, times(400, share), times(10_000, share), first=80_000)
    hashes = []
    verdict = ""
    for repeats in (1, 5):
        with field.ground() as ground:
            ground.node()
            ground.node()
            ground.wait_ready()
            ground.publish(some, repeats=repeats)
            verdict = ground.clean()
            hashes.append(_state_hash(ground))
    assert hashes[0] == hashes[1], hashes
    return f"{len(some.lines)} events, state hash {hashes[0]} both times: {verdict}"


def _state_hash(ground: Ground) -> str:
    """Of what does not depend on when things were said."""
    digest = hashlib.sha256()
    rows = ground.rows("SELECT profile_id, state FROM profiles ORDER BY profile_id")
    for profile_id, state in rows:
        profile = thaw(str(profile_id), decode_state(state))  # type: ignore[arg-type]
        items = sorted((item.item_id, item.left) for item in profile.ledger.items.values())
        said = (profile_id, profile.account_balance(), profile.policy_segment, profile.closed, items)
        digest.update(repr(said).encode())
    return digest.hexdigest()[:12]


def r10(field: Field, share: float) -> str:
    """One writer for a profile: a node is frozen for longer than its lease and session, and goes on as if nothing."""
    rounds = times(200, share)
    with zookeeper(field) as ground:
        nodes = [ground.node(), ground.node()]
        ground.wait_ready()
        ground.load(10, 200, 10_000 * rounds, rate=180)
        for number in range(rounds):
            frozen = nodes[number % 2]
            time.sleep(1.0)
            frozen.send(signal.SIGSTOP)
            ground.wait(lambda frozen=frozen: not _owned_by(ground, frozen),  # type: ignore[misc]
                        "its shards are others'", 30)  # fmt: skip
            frozen.send(signal.SIGCONT)
        ground.enough()
        verdict = ground.clean()
        fenced = sum("is not ours any more" in line for node in nodes for line in node.said())
        return f"{rounds} rounds, {fenced} late commits refused, 0 taken: {verdict}"


def _owned_by(ground: Ground, node: Node) -> int:
    """How many shards a node works, by the store."""
    (row,) = ground.rows("SELECT count(*) FROM shards WHERE owner LIKE %s", f"{node.name}/%")
    return int(str(row[0]))


def r11(field: Field, share: float) -> str:
    """Without ZooKeeper: stopped under load, then wiped and started again."""
    away = 600 * share
    with zookeeper(field) as ground:
        for _ in range(2):
            ground.node()
        ground.wait_ready()
        ground.load(11, 100, int(200 * (away + 20)), rate=200)
        field.zookeeper.kill()
        time.sleep(away)
        assert all(node.is_alive for node in ground.nodes)
        field.zookeeper.wipe()
        field.zookeeper.start()
        verdict = ground.clean()
        owners = {str(row[0]).partition("/")[0] for row in ground.rows("SELECT owner FROM shards")}
        assert owners <= {node.name for node in ground.nodes}, owners
        ground.wait_ready()
        return f"{away:.0f} s without it, then wiped: {verdict}"


def r12(field: Field, share: float) -> str:
    """Nodes come and go under load: who joins takes its share and no more, and no shard stands still for long."""
    moves = times(100, share)
    rng = random.Random(12)
    pauses: list[float] = []
    with zookeeper(field) as ground:
        for _ in range(2):
            ground.node()
        ground.wait_ready()
        ground.load(12, 200, 10_000 * moves, rate=150)
        watched = threading.Event()
        watcher = threading.Thread(target=_watch_pauses, args=(ground, watched, pauses), daemon=True)
        watcher.start()
        moved: list[float] = []
        for _ in range(moves):
            time.sleep(rng.uniform(1, 2))
            before = _owners(ground)
            living = [node for node in ground.nodes if node.is_alive]
            if len(living) < 3:
                dead = [node for node in ground.nodes if not node.is_alive]
                newcomer = dead[0].start() if dead else ground.node()
                ground.wait(lambda newcomer=newcomer: _owned_by(ground, newcomer) > 0,  # type: ignore[misc]
                            "it works", 30)  # fmt: skip
            elif rng.random() < 0.5:
                gone = rng.choice(living)
                gone.stop()
            else:
                gone = rng.choice(living)
                gone.kill()
            _wait_shared(ground)
            after = _owners(ground)
            counted = max(len(set(before.values())), len(set(after.values())))
            moved.append(sum(before[n] != after[n] for n in before) / (SHARDS / counted))
        watched.set()
        watcher.join()
        ground.enough()
        verdict = ground.clean()
        longest = max(pauses, default=0.0)
        assert longest <= LEASE_SECONDS + 5, longest
        assert max(moved) <= 1.5, moved  # 16 shards cannot be cut finer
        return f"{moves} moves, at most {max(moved):.2f} x shards ÷ nodes, longest pause {longest:.1f} s: {verdict}"


def _owners(ground: Ground) -> dict[int, str]:
    return {int(str(shard)): str(owner).partition("/")[0] for shard, owner in
            ground.rows("SELECT shard, owner FROM shards ORDER BY shard")}  # fmt: skip


def _wait_shared(ground: Ground) -> None:
    """Until the shards are with those that live, in fair shares, and stay there."""
    living = {node.name for node in ground.nodes if node.is_alive}

    def is_shared() -> bool:
        owners = list(_owners(ground).values())
        fair = SHARDS // len(living)
        return set(owners) == living and all(owners.count(name) >= fair for name in living)

    ground.wait(is_shared, "all who live have their share", 40)


def _watch_pauses(ground: Ground, ended: threading.Event, pauses: list[float]) -> None:
    """How long a shard was without an owner whose lease holds."""
    since: dict[int, float] = {}
    while not ended.wait(0.1):
        rows = ground.rows(
            "SELECT s.shard FROM shards s LEFT JOIN owners o ON o.owner = s.owner "
            "WHERE o.owner IS NULL OR o.lease_until < clock_timestamp()"
        )
        without = {int(str(row[0])) for row in rows}
        now = time.monotonic()
        for shard in without:
            since.setdefault(shard, now)
        pauses.extend(now - since.pop(shard) for shard in [each for each in since if each not in without])


def r13(field: Field, share: float) -> str:
    """A failing actor is alone: one payment in a hundred raises, SystemExit among what it raises."""
    with field.ground() as ground:
        node = ground.node("--fails-once", "0.01")
        ground.wait_ready()
        ground.load(13, 200, times(100_000, share))
        verdict = ground.clean()
        assert node.is_alive
        return f"1 % of the payments failed once: {verdict}"


def r14(field: Field, share: float) -> str:
    """Poison is quarantined with what waits behind it, nobody else is held up, and it is worked when that is mended."""
    some = script(14, 50, 2_000, first=140_000)
    payments = [json.loads(line) for line in some.lines if b"payment.received" in line and b'"much"' not in line]
    poison = payments[len(payments) // 2]
    behind = sum(json.loads(line)["subject"] == poison["subject"] for line in some.lines)
    with field.ground() as ground:
        node = ground.node("--poison", poison["data"]["payment_id"])
        ground.wait_ready()
        ground.publish(some)
        ground.published()
        ground.wait(lambda: node.reading("dms_events_total") >= len(some.lines), "all is worked", 120)
        waiting = ground.wait(lambda: node.reading("dms_quarantined") > 0, "it is in quarantine", 30)
        (row,) = ground.rows("SELECT count(*), count(DISTINCT profile_id) FROM quarantine")
        assert row[1] == 1, row
        assert 0 < int(str(row[0])) <= behind
        node.stop()
        node.start()
        ground.wait_ready()
        status, said = node.ask(f"/api/v1/quarantine/{poison['subject']}", {"actor": "orlova"})
        assert status == 202, said
        ground.wait(lambda: ground.rows("SELECT count(*) FROM quarantine")[0][0] == 0, "nothing is left in it", 30)
        return f"{row[0]} events of one profile waited {waiting:.1f} s and were released: {ground.clean()}"


def r16(field: Field, share: float) -> str:
    """Timers survive: nodes are off for an hour, a day, three days, 35 days; what comes then, comes in its hours."""
    seen = []
    count = times(500, share)
    for days in (1 / 24, 1.0, 3.0, 35.0):
        with field.ground(policy=_HOURS) as ground:
            node = ground.node()
            ground.wait_ready()
            ground.publish(_debts(times(500, share), f"OFF{days:.0f}"))
            ground.published()
            ground.wait(lambda node=node, ground=ground: node.reading("dms_events_total") >= len(ground.lines),  # type: ignore[misc]
                        "all is taken in", 60)  # fmt: skip
            node.stop()
            ahead = _at_noon(days)
            node.start("--days-ahead", str(ahead))
            ground.wait_ready()
            ground.wait(lambda ground=ground: len(_commands(ground)) >= count,  # type: ignore[misc]
                        "each debtor is told", 60)  # fmt: skip
            time.sleep(3.0)
            commands = _commands(ground)
            for each in commands:
                hour = datetime.fromisoformat(str(each["time"])).astimezone(UTC).hour
                assert 10 <= hour < 18, each
            by_subject = [str(each["subject"]) for each in commands]
            assert len(set(by_subject)) == count
            names = [(str(each["subject"]), each["data"]["measure"]) for each in commands]
            assert len(names) == len(set(names)), "a measure came twice"
            ground.verified()
            seen.append(f"{days:.2g} days off: {len(commands)} contacts with {count} debtors")
    return "; ".join(seen)


_HOURS: Final = """
[policy]
name = "hours"
version = 1
timezone = "UTC"
currency = "RUB"

[contact]
hours = { workday = "10:00-18:00", dayoff = "10:00-18:00" }

[[segment]]
name = "everyone"
plan = "all"

[plans.all]
min_gap_days = 1
""" + "".join(
    f"""
[[plans.all.measure]]
name = "notice-{day}"
kind = "notify"
channel = "sms"
template = "overdue"
day = {day}
at = "10:00"
"""
    for day in (1, 2, 3)
)


def _at_noon(days: float) -> float:
    """So many days ahead, moved to the next noon in UTC: contacts may be made then."""
    now = datetime.now(UTC)
    hour = (now.hour + now.minute / 60 + days * 24) % 24
    return days + ((12 - hour) % 24) / 24


def _debts(count: int, name: str, region: str = "N", first: int = 0) -> Script:
    """So many debtors, each with an account and one invoice that was due yesterday."""
    today = datetime.now(UTC).date()
    bodies: list[tuple[str, bytes]] = []
    for number in range(first, first + count):
        subject = f"{name}-{number:06}"
        account = {"projection": "account", "party": "person", "currency": "RUB", "attributes": {"region": region}}
        invoice = {"invoice_id": "I-1", "amount": 50_000, "issued_on": str(today - timedelta(days=30)),
                   "due_on": str(today - timedelta(days=1))}  # fmt: skip
        for kind, data in (("account.updated", account), ("invoice.issued", invoice)):
            bodies.append((subject, _event(f"{kind[0]}-{subject}", subject, kind, data)))
    return Script(bodies, [body for _, body in bodies], 0)


def _event(id: str, subject: str, kind: str, data: object) -> bytes:
    at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    event = {"specversion": "1.0", "id": id, "source": "chaos", "type": f"dms.{kind}.v1", "subject": subject,
             "time": at, "data": data}  # fmt: skip
    return json.dumps(event).encode()


def _commands(ground: Ground) -> list[dict[str, Any]]:
    return [event for event in ground.events() if event["type"] == "dms.measure.requested.v1"]


def r18(field: Field, share: float) -> str:
    """A payment beats a pending suspension: paid at every moment between the decision and its leaving."""
    count = times(2_000, share)
    rng = random.Random(18)
    with field.ground() as ground:
        ground.node()
        ground.wait_ready()
        debts = _debts(count, "PAY")
        ground.publish(debts, rate=400)
        with PlainClient(ground.rabbit_url) as plain:
            for place in range(1, 2 * count, 2):
                subject, _ = debts.bodies[place]
                ground.wait(lambda place=place: ground.sent > place, "the debt is published", 60)  # type: ignore[misc]
                if rng.random() < 0.3:
                    time.sleep(rng.uniform(0, 0.05))
                body = _event(f"p-{subject}", subject, "payment.received", {"payment_id": "P-1", "amount": 50_000})
                plain.publish("dms.in", "", body)
        ground.published()
        node = ground.nodes[0]
        ground.wait(lambda: node.reading("dms_events_total") >= 3 * count and not node.reading("dms_outbox_pending"),
                    "all has been worked", 120)  # fmt: skip
        time.sleep(1.5)
        by_subject: dict[str, list[str]] = {}
        for command in _commands(ground):
            by_subject.setdefault(str(command["subject"]), []).append(command["data"]["measure"])
        assert all(each == ["block", "unblock"] for each in by_subject.values()), by_subject
        ground.verified()
        return f"{count} debts paid at once: {len(by_subject)} suspended and resumed, the others never suspended"


_WILD: Final = """
[policy]
name = "wild"
version = 1
timezone = "UTC"
currency = "RUB"

[attributes]
region = "string"

[[breaker]]
kind = "restrict"
per_hour = 50

[[breaker]]
kind = "terminate"
per_hour = 5

[[segment]]
name = "north"
when = 'attributes.region == "N"'
plan = "block"

[[segment]]
name = "south"
plan = "end"

[plans.block]

[[plans.block.measure]]
name = "block"
kind = "restrict"
target = "network"
day = 1
at = "00:00"
reverse = "unblock"

[plans.end]

[[plans.end.measure]]
name = "end"
kind = "terminate"
target = "billing"
day = 1
at = "00:00"
"""
_HEADS: Final = """
[[manager]]
id = "orlova"
name = "O"
role = "head"
groups = []

[[manager]]
id = "belov"
name = "B"
role = "head"
groups = []
"""


def r20(field: Field, share: float) -> str:
    """A rule gone wild is stopped: many are flagged at once, the breakers trip, and two people let them go on."""
    count = times(10_000, share)
    with field.ground(policy=_WILD) as ground:
        (ground.folder / "managers.toml").write_text(_HEADS)
        node = ground.node()
        ground.wait_ready()
        for name, region in (("WN", "N"), ("WS", "S")):
            ground.publish(_debts(count // 2, name, region))
        ground.published()
        ground.wait(lambda: node.reading("dms_events_total") >= 2 * (count // 2) * 2, "all is worked", 120)
        time.sleep(2.0)

        def kinds() -> tuple[int, int]:
            found = [each["data"]["kind"] for each in _commands(ground)]
            return found.count("restrict"), found.count("terminate")

        stopped = kinds()
        assert stopped == (50, 5), stopped
        assert any("a breaker holds commands back" in line for line in node.said())
        blown = json.loads(node.ask("/api/v1/breakers")[1])["blown"]
        for breaker in blown:
            node.ask(f"/api/v1/breakers/{breaker}/votes", {"actor": "orlova", "let_go": True})
        time.sleep(2.0)
        assert kinds() == stopped, "one voice was enough"
        for breaker in blown:
            node.ask(f"/api/v1/breakers/{breaker}/votes", {"actor": "belov", "let_go": True})
        ground.wait(lambda: kinds() == (count // 2, count // 2), "the others leave", 60)
        ground.verified()
        return f"{count} flagged, stopped at {stopped[0]} suspensions and {stopped[1]} terminations; two people let go"


def r21(field: Field, share: float) -> str:
    """An unknown outcome is a state: what is never answered is sent again and fails, the other is confirmed."""
    count = times(1_000, share)
    rules = POLICY.replace('reverse = "unblock"', 'reverse = "unblock"\nconfirm_within = "3s"\nretries = 1')
    with field.ground(policy=rules) as ground:
        node = ground.node()
        ground.wait_ready()
        ground.publish(_debts(count, "ASK"))
        ground.published()
        ground.wait(lambda: len(_commands(ground)) >= count, "all are commanded", 60)
        answered = {str(each["data"]["command_id"]): str(each["subject"]) for each in _commands(ground)[::2]}
        with PlainClient(ground.rabbit_url) as plain:
            for number, (command_id, subject) in enumerate(answered.items()):
                data = {"command_id": command_id, "detail": "done"}
                plain.publish("dms.in", "", _event(f"c-{number}", subject, "measure.completed", data))
        ground.wait(lambda: sum(_outcomes(ground)) >= count, "none is without an outcome", 60)
        confirmed, failed = _outcomes(ground)
        assert (confirmed, failed) == (len(answered), count - len(answered)), (confirmed, failed, len(answered))
        ground.verified()
        assert node.is_alive
        return f"{count} commands: {confirmed} confirmed, {failed} failed for want of an answer"


def _outcomes(ground: Ground) -> tuple[int, int]:
    """How many commands were confirmed, and how many have failed."""
    counts = {str(fact): count for fact, count in ground.rows("SELECT fact, count(*) FROM journal GROUP BY fact")}
    return int(str(counts.get("MeasureCompleted", 0))), int(str(counts.get("CommandFailed", 0)))


def r24(field: Field, share: float) -> str:
    """The journal is enough: every profile is rebuilt from it; one history comes to the same commands everywhere."""
    with field.ground() as ground:
        ground.node()
        ground.wait_ready()
        ground.load(24, times(2_000, share), times(60_000, share))
        return f"{ground.clean(amounts=True)}; {ground.verified()}"


def r25(field: Field, share: float) -> str:
    """Overload: as much as can be published, with the broker's memory alarm in the middle; then it recovers."""
    with field.ground() as ground:
        node = ground.node()
        ground.wait_ready()
        ground.load(25, times(4_000, share), times(400_000, share))
        time.sleep(2.0)
        field.rabbit.raise_memory_alarm()
        time.sleep(10.0)
        field.rabbit.end_memory_alarm()
        most = 0
        while ground.is_publishing or node.reading("dms_outbox_pending"):
            most = max(most, psutil.Process(node.process.pid).memory_info().rss if node.process else 0)
            time.sleep(0.5)
        verdict = ground.clean()
        assert most < 500 * 2**20, f"{most / 2**20:.0f} MiB"
        return f"at most {most / 2**20:.0f} MiB: {verdict}"


def r26(field: Field, share: float) -> str:
    """Half-dead connections: for a while nothing arrives, and nothing is closed."""
    dark = 90.0 if share == 1 else 40.0
    with (
        Proxy("127.0.0.1", field.rabbit.port) as rabbit,
        Proxy("127.0.0.1", field.postgres.port) as postgres,
        field.ground() as ground,
    ):
        broker = ground.rabbit_url.replace(f":{field.rabbit.port}/", f":{rabbit.port}/").replace(
            "guest:guest@", "guest@"
        )
        store = ground.store_url.replace(f":{field.postgres.port}/", f":{postgres.port}/")
        ground.set({"broker__url": broker, "store": store})
        node = ground.node()
        ground.wait_ready()
        ground.load(26, 100, int(200 * (2 * dark + 60)), rate=100)
        told = []
        back = []
        for proxy in (rabbit, postgres):
            proxy.is_black_hole = True
            began = time.monotonic()
            told.append(ground.wait(lambda: node.ask("/readyz")[0] == 503, "it is noticed", 30))
            time.sleep(max(0.0, dark - (time.monotonic() - began)))
            proxy.heal()
            worked = node.reading("dms_events_total")
            back.append(ground.wait(lambda worked=worked: node.reading("dms_events_total") > worked,  # type: ignore[misc]
                                    "it consumes again", 60))  # fmt: skip
        ground.enough()
        ground.set({})
        return (
            f"{dark:.0f} s each; noticed within {max(told):.0f} s, consuming within {max(back):.0f} s: {ground.clean()}"
        )


def r27(field: Field, share: float) -> str:
    """Stop: SIGTERM under load, again and again."""
    stops = times(100, share)
    took = []
    with field.ground() as ground:
        node = ground.node()
        ground.wait_ready()
        ground.load(27, 200, 10_000 * stops, rate=400)
        for _ in range(stops):
            time.sleep(1.0)
            took.append(node.stop())
            node.start()
            ground.wait_ready()
        ground.enough()
        assert max(took) <= 15, took
        return f"{stops} stops, each within {max(took):.1f} s: {ground.clean()}"


PROMISES: Final[dict[str, Callable[[Field, float], str]]] = {
    "R1": r1, "R3": r3, "R4": r4, "R5": r5, "R6": r6, "R7": r7, "R8": r8, "R10": r10, "R11": r11, "R12": r12,
    "R13": r13, "R14": r14, "R16": r16, "R18": r18, "R20": r20, "R21": r21, "R24": r24, "R25": r25, "R26": r26,
    "R27": r27,
}  # fmt: skip
