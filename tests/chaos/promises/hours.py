"""Hours: what is due while nodes are off comes when they are back, and in its hours."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tests.chaos.field import Field
from tests.chaos.ground import Ground
from tests.chaos.node import Node
from tests.chaos.promises.counts import times
from tests.chaos.script import debts

HOURS_OFF: Final = (1, 24, 3 * 24, 35 * 24)
_EVENING: Final = 20
_LEAD_SECONDS: Final = 8.0
"""So long before the opening of contact hours a node is started: it must be up, and keep still."""
_POLICY: Final = (Path(__file__).parent / "hours.toml").read_text()


def r16(field: Field, share: float) -> str:
    """Timers survive: nodes are off for an hour, a day, three days, 35 days; what is due comes then, one measure a day.

    Off from an evening on, back at night: nothing. The next morning each debtor gets the first measure and no other,
    however late it is; the morning after, the second.
    """
    count = times(500, share)
    for hours in HOURS_OFF:
        with field.ground(rules=_POLICY) as ground:
            _away(ground, hours, count)
    return f"off for {', '.join(f'{hours} h' for hours in HOURS_OFF)}: {count} debtors each, told once a day, by day"


def _away(ground: Ground, hours: int, count: int) -> None:
    evening = datetime.now(UTC).replace(hour=_EVENING, minute=0, second=0, microsecond=0)
    back = evening + timedelta(hours=hours)
    node = ground.node(*_ahead(evening))
    ground.wait_ready()
    ground.publish(debts(count, "OFF", today=evening.date() + timedelta(days=1)))
    ground.wait_published()
    ground.wait(lambda: node.worked >= ground.published.events, "all is taken in", 60)
    node.stop()
    _start(ground, node, back)
    time.sleep(1.0)
    assert not ground.seen().commands, "somebody was told at night"
    morning = back.replace(hour=10) + timedelta(days=1)
    for day in (1, 2):
        node.stop()
        opens = morning + timedelta(days=day - 1)
        _start(ground, node, opens - timedelta(seconds=_LEAD_SECONDS))
        ground.wait(lambda day=day: len(ground.seen().commands) >= day * count, "each debtor is told", 60)  # type: ignore[misc]
        time.sleep(1.0)
        told = Counter((each["subject"], each["data"]["measure"]) for each in ground.seen().commands)
        wanted = Counter((f"OFF-{number:06}", f"notice-{n}") for number in range(count) for n in range(1, day + 1))
        assert told == wanted, (told - wanted, wanted - told)
        instants = [datetime.fromisoformat(each["time"]) for each in ground.seen().commands[-count:]]
        assert opens <= min(instants), min(instants)
        assert max(instants) < opens + timedelta(hours=8), max(instants)
    ground.verified()


def _start(ground: Ground, node: Node, instant: datetime) -> None:
    node.start(*_ahead(instant))
    ground.wait_ready()


def _ahead(instant: datetime) -> tuple[str, str]:
    """The options of a node for which it is that instant now."""
    return "--days-ahead", repr((instant - datetime.now(UTC)) / timedelta(days=1))
