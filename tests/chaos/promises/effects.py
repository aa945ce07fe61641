"""Effects: each once, none while paid, none gone wild, none without an end, and all of them again from the journal."""

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Final

from adapters.policy_files import load_policy
from adapters.state_codec import decode_state
from domain.snapshot import thaw
from engine.engine import EngineSettings
from engine.ports import State
from tests.chaos.field import Field
from tests.chaos.ground import POLICY, Ground
from tests.chaos.judge import POLICY as POLICY_FILE
from tests.chaos.promises.counts import times
from tests.chaos.script import DEBT, Script, debts, event, script
from tests.engine.world import World
from tests.services.plain_client import PlainClient
from tests.services.proxy import Proxy

_WILD: Final = (Path(__file__).parent / "wild.toml").read_text()
_HEADS: Final = "".join(
    f'[[manager]]\nid = "{name}"\nname = "{name.title()}"\nrole = "head"\ngroups = []\n' for name in ("orlova", "belov")
)


def r8(field: Field, share: float) -> str:
    """Duplicates have no effect: each event one to five times, on two nodes, comes to the same state as once."""
    some = script(field.seed, times(400, share), times(10_000, share))
    hashes = []
    verdict = ""
    for repeats in (1, 5):
        with field.ground() as ground:
            ground.node()
            ground.node()
            ground.wait_ready()
            ground.publish(some, repeats=repeats)
            verdict = f"{ground.clean(late=False)}, of {ground.published.events} events"
            hashes.append(_state_hash(_stored(ground)))
    assert hashes[0] == hashes[1], hashes
    return f"{len(some.lines)} events, state hash {hashes[0]} both times: {verdict}"


def _stored(ground: Ground) -> list[tuple[str, State]]:
    rows = ground.rows("SELECT profile_id, state FROM profiles")
    return [(str(profile_id), decode_state(bytes(state))) for profile_id, state in rows]  # type: ignore[call-overload]


def _state_hash(states: Iterable[tuple[str, State]]) -> str:
    """Of what does not depend on when things were said."""
    digest = hashlib.sha256()
    for profile_id, state in sorted(states):
        profile = thaw(profile_id, state)
        items = sorted((item.item_id, item.left) for item in profile.ledger.items.values())
        said = (profile_id, profile.account_balance(), profile.policy_segment, profile.closed, items)
        digest.update(repr(said).encode())
    return digest.hexdigest()[:12]


def r18(field: Field, share: float) -> str:
    """A payment beats a pending suspension: paid at every moment between the decision and its leaving.

    The road to the broker is fast, slow and slower, so that decided commands stand in all places when they are paid.
    """
    count = times(2_000, share)
    rng = field.chance("R18")
    outcomes = {"never suspended": 0, "suspended and resumed": 0}
    with Proxy("127.0.0.1", field.rabbit.port) as proxy, field.ground() as ground:
        ground.through(rabbit_port=proxy.port)
        node = ground.node()
        ground.wait_ready()
        some = debts(count, "PAY")
        began = time.monotonic()
        with PlainClient(ground.rabbit_url) as plain:
            for at, delay, body in _paid_soon(some, rng):
                proxy.delay_seconds = delay
                time.sleep(max(0.0, began + at - time.monotonic()))
                plain.publish("dms.in", "", body)
        proxy.delay_seconds = 0.0
        ground.wait(lambda: node.worked >= 3 * count and not node.reading("dms_outbox_pending"), "all is worked", 120)
        time.sleep(1.5)
        by_subject: dict[str, list[str]] = {subject: [] for subject, _ in some.bodies}
        for command in ground.seen().commands:
            by_subject[command["subject"]].append(command["data"]["measure"])
        for subject, measures in by_subject.items():
            assert measures in ([], ["block", "unblock"]), (subject, measures)
            outcomes["suspended and resumed" if measures else "never suspended"] += 1
        withdrawn = {command_id for command_id in ground.journal().withdrawn if command_id.endswith("/block")}
        assert len(withdrawn) == outcomes["never suspended"], (len(withdrawn), outcomes)
        ground.verified()
    return f"{count} debts paid at once: " + ", ".join(f"{number} {name}" for name, number in outcomes.items())


def _paid_soon(some: Script, rng: Random) -> list[tuple[float, float, bytes]]:
    """When to publish each body, in seconds, and how slow the road is then: each debt is paid before or after the time
    that its command needs to leave."""
    bodies: list[tuple[float, float, bytes]] = []
    for number, (subject, account) in enumerate(some.bodies[::2]):
        delay, within = ((0.0, 0.05), (0.02, 0.3), (0.1, 1.0))[number * 6 // len(some.bodies)]
        at = number / 25 + within
        paid = event(f"p-{subject}", subject, "payment.received", {"payment_id": "P-1", "amount": DEBT})
        bodies.append((at, delay, b"[%b,%b]" % (account, some.bodies[2 * number + 1][1])))
        bodies.append((at + rng.uniform(0.0, within), delay, paid))
    return sorted(bodies)


def r20(field: Field, share: float) -> str:
    """A rule gone wild is stopped: many are flagged at once, the breakers trip, and two people let them go on."""
    half = times(10_000, share) // 2
    with field.ground(rules=_WILD) as ground:
        (ground.folder / "managers.toml").write_text(_HEADS)
        node = ground.node()
        ground.wait_ready()
        for name, region in (("WN", "N"), ("WS", "S")):
            ground.publish(debts(half, name, region))
        ground.wait_published()
        ground.wait(lambda: node.worked >= ground.published.events, "all is worked", 120)
        time.sleep(2.0)
        stopped = _restricted_and_terminated(ground)
        assert stopped == (50, 5), stopped
        ground.wait(lambda: any("a breaker holds commands back" in line for line in node.said()), "it is told of", 10)
        blown = json.loads(node.ask("/api/v1/breakers")[1])["blown"]
        for actor in ("orlova", "belov"):
            assert _restricted_and_terminated(ground) == stopped, "one voice was enough"
            for breaker in blown:
                status, said = node.ask(f"/api/v1/breakers/{breaker}/votes", {"actor": actor, "let_go": True})
                assert status < 300, said
            time.sleep(1.0)
        ground.wait(lambda: _restricted_and_terminated(ground) == (half, half), "the others leave", 60)
        ground.verified()
        return (
            f"{2 * half} flagged, stopped at {stopped[0]} suspensions and {stopped[1]} terminations; two people let go"
        )


def _restricted_and_terminated(ground: Ground) -> tuple[int, int]:
    kinds = [each["data"]["kind"] for each in ground.seen().commands]
    return kinds.count("restrict"), kinds.count("terminate")


def r21(field: Field, share: float) -> str:
    """An unknown outcome is a state: what is never answered is sent again and fails, the other is confirmed."""
    count = times(1_000, share)
    rules = POLICY.replace('reverse = "unblock"', 'reverse = "unblock"\nconfirm_within = "5s"\nretries = 1')
    with field.ground(rules=rules) as ground:
        ground.node()
        ground.wait_ready()
        ground.publish(debts(count, "ASK"))
        ground.wait_published()
        ground.wait(lambda: len(ground.seen().commands) >= count, "all are commanded", 60)
        answered = {each["data"]["command_id"]: each["subject"] for each in ground.seen().commands[::2]}
        with PlainClient(ground.rabbit_url) as plain:
            for number, (command_id, subject) in enumerate(answered.items()):
                data: dict[str, object] = {"command_id": command_id, "detail": "done"}
                plain.publish("dms.in", "", event(f"c-{number}", subject, "measure.completed", data))
        ground.wait(lambda: sum(_outcomes(ground)) >= count, "none is without an outcome", 60)
        time.sleep(1.0)
        confirmed, failed = _outcomes(ground)
        assert (confirmed, failed) == (len(answered), count - len(answered)), (confirmed, failed, len(answered))
        times_sent: dict[str, int] = {}
        tasks = 0
        for each in ground.seen().events:
            tasks += each["type"] == "dms.task.opened.v1" and each["data"]["why"] == "failed"
            if each["type"] == "dms.measure.requested.v1":
                times_sent[each["data"]["command_id"]] = times_sent.get(each["data"]["command_id"], 0) + 1
        unanswered = [sent for command_id, sent in times_sent.items() if command_id not in answered]
        assert set(unanswered) == {2}, "what is not answered is sent again, once, under its id"
        assert tasks == failed, (tasks, failed)
        ground.verified()
        return f"{count} commands: {confirmed} confirmed, {failed} sent again, then failed with a task each"


def _outcomes(ground: Ground) -> tuple[int, int]:
    """How many commands were confirmed, and how many have failed."""
    confirmed, failed = (
        ground.count("SELECT count(*) FROM journal WHERE fact = %s", fact)
        for fact in ("MeasureCompleted", "CommandFailed")
    )
    return confirmed, failed


def r24(field: Field, share: float) -> str:
    """The journal is enough: every profile is rebuilt from it; one history comes to the same in SIM."""
    with field.ground() as ground:
        ground.node()
        ground.wait_ready()
        ground.publish(script(field.seed, times(2_000, share), times(60_000, share)))
        verdict = ground.clean(amounts=True, late=False)
        settings = EngineSettings(pipelined=False, late_us=10**15)
        world = World(load_policy(POLICY_FILE), settings=settings)
        lines = ground.published.in_order()
        world.play(lines, until=0)
        reader = world.store.reader()
        simulated = [(each, state) for each in reader.profile_ids() if (state := reader.state(each)) is not None]
        hashes = _state_hash(_stored(ground)), _state_hash(simulated)
        assert hashes[0] == hashes[1], hashes
        return f"{verdict}; state hash {hashes[0]} in SIM too; {ground.verified()}"
