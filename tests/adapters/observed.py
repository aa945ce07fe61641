"""An engine to be observed: a small policy, a store and a broker in memory, and a clock that a test turns."""

import json
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from adapters.cloud_events import parse_instant, rfc3339
from adapters.letters import CODEC
from adapters.log_trail import LogTrail
from adapters.logs import Log, open_log
from adapters.policy_files import load_policy
from adapters.readings import Readings, readings_of
from domain.calendar import DAY, HOUR
from engine.engine import Engine, EngineSettings
from engine.ports import NothingLeft, OutgoingEvent
from sim.broker import MemoryBroker
from sim.clock import VirtualClock
from sim.store import MemoryStore
from tests.engine.world import PolicyHolder

START = parse_instant("2026-02-02T09:00:00Z")
POLICY = """
[policy]
name = "observed"
version = 1
timezone = "UTC"
currency = "RUB"

[[segment]]
name = "everyone"
plan = "all"

[plans.all]
min_gap_days = 0

[[plans.all.measure]]
name = "notice"
kind = "notify"
channel = "sms"
template = "notice"
day = 1
at = "10:00"

[[plans.all.measure]]
name = "block"
kind = "restrict"
target = "network"
day = 2
at = "10:00"
reverse = "unblock"
confirm_within = "1h"
retries = 1
"""


class Observed:
    """One engine; what is published can be held back by ``is_routable``."""

    def __init__(self, folder: Path, level: str = "OFF", policy: str = POLICY) -> None:
        (folder / "policy.toml").write_text(policy)
        self.said = StringIO()
        self.log: Log = open_log(level, "json", self.said)
        self.clock = VirtualClock()
        self.clock.reach(START)
        self.published: list[OutgoingEvent] = []
        self.is_routable = True
        self.broker = MemoryBroker(self._publish)
        self.store = MemoryStore()
        self.engine = Engine(
            self.store, self.broker, self.clock, PolicyHolder(load_policy(folder / "policy.toml")), CODEC,
            EngineSettings(pipelined=False, late_us=10**15), trail=LogTrail(self.log),
        )  # fmt: skip
        self.engine.begin()
        self._events = 0

    def _publish(self, events: Any) -> None:
        if not self.is_routable:
            raise NothingLeft("nobody is bound")
        self.published.extend(events)

    def tell(self, kind: str, subject: str = "ACC-1", at: int = START, id: str | None = None, **data: object) -> None:
        """One event arrives and is worked, after the timers before it."""
        self._events += 1
        body = {
            "specversion": "1.0", "id": id or f"e-{self._events}", "source": "billing", "type": f"dms.{kind}.v1",
            "subject": subject, "time": rfc3339(at), "data": data,
        }  # fmt: skip
        self.tell_bytes(json.dumps(body).encode(), at)

    def tell_bytes(self, body: bytes, at: int = START) -> None:
        """Whatever it is."""
        self.broker.offer(body)
        self.engine.turn(self.broker.receive(100, 0), at)
        self.engine.settle_or_recover()

    def pass_time(self, until: int) -> None:
        """Timers up to an instant are worked."""
        self.clock.reach(until)
        self.engine.turn([], until + 1)
        self.engine.settle_or_recover()

    def owe(self) -> None:
        """ACC-1 has owed since yesterday."""
        self.tell("account.updated", projection="account", party="person", currency="RUB", id="account")
        self.tell("invoice.issued", invoice_id="I-1", amount=100_000, issued_on="2026-01-01", due_on="2026-02-02")

    def readings(self) -> Readings:
        """What it shows now."""
        return readings_of(self.engine, self.clock)

    def entries(self) -> list[Mapping[str, Any]]:
        """What it has logged."""
        return [json.loads(line) for line in self.said.getvalue().splitlines()]

    def end(self) -> None:
        """Lets its threads end."""
        self.engine.end()


NOTICE_AT = START + DAY + HOUR
BLOCK_AT = START + 2 * DAY + HOUR
