"""Backups: a database that is restored is behind the world, and whoever restores it knows by how much."""

import json
import subprocess
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from domain.shards import shard_of
from tests.adapters.run_process import DMS, environment
from tests.chaos.field import Field
from tests.chaos.ground import SHARDS, Ground
from tests.services.plain_client import PlainClient

_MARGIN_NS: Final = 3_000_000_000
"""For clocks: publishers send again from a little earlier on."""
_COMMAND: Final = "dms.measure.requested.v1"


def r29(field: Field, share: float) -> str:
    """Restored from a backup: every later effect is found before anything is sent again."""
    behind = 300 * share
    with field.ground() as ground:
        node = ground.node()
        ground.wait_ready()
        ground.load(200, behind + 120, 200)
        time.sleep(15)
        backup = field.postgres.dumped(ground.store_url)
        backed_up_at = time.time_ns()
        time.sleep(behind)
        ground.enough()
        ground.settled()
        node.stop()
        field.postgres.restore(ground.store_url, backup)
        left = _write(ground.folder / "left.jsonl", _left_since(ground, backed_up_at - _MARGIN_NS))
        again = _write(ground.folder / "events.jsonl", _sent_again(ground, backed_up_at - _MARGIN_NS))
        _queue(ground, again)
        found = _reconciled(ground)
        before = ground.seen_bytes()
        node.start()
        ground.wait_ready()
        ground.settled()
        sent = _commands(_bodies(ground, before))
        known = {name: _commands(_lines(ground.folder / "lists" / f"{name}.jsonl")) for name in found}
        foretold = known["again"] | known["new"]
        assert foretold <= sent, f"{len(foretold - sent)} commands were foretold and did not leave"
        # An event that is worked between timers may decide once more what an earlier life had decided.
        surprises = sent - foretold - known["forgotten"] - known["later"]
        assert not surprises, f"{len(surprises)} commands left of which nobody was told: {sorted(surprises)[:3]}"
        ground.verified()
        assert found["again"] > 0, found
        assert found["forgotten"] > 0, found
        had_left = len(_commands(left))
        figures = ", ".join(f"{count} {name}" for name, count in found.items())
        rest = f"{len(sent)} left, {len(sent & foretold)} of them foretold"
        return f"{behind:g} s behind, {had_left} commands had left: {figures}; then {rest}"


def _left_since(ground: Ground, since: int) -> list[bytes]:
    return [body for at, body in _received(ground, 0) if at >= since]


def _bodies(ground: Ground, offset: int) -> list[bytes]:
    return [body for _, body in _received(ground, offset)]


def _received(ground: Ground, offset: int) -> Iterable[tuple[int, bytes]]:
    for line in ground.received_from(offset).splitlines():
        at, _, body = line.partition(b" ")
        yield int(at), body


def _sent_again(ground: Ground, since: int) -> list[bytes]:
    """What was published since then, but for every tenth debtor, whom publishers have forgotten."""
    told_at = ground.published.told_at
    events = []
    for line in ground.published.lines:
        said = json.loads(line)
        if told_at[f"{said['source']}/{said['id']}"] >= since and zlib.crc32(said["subject"].encode()) % 10:
            events.append(line)
    return events


def _queue(ground: Ground, events: list[bytes]) -> None:
    """By the fast door, where nobody receives yet."""
    with PlainClient(ground.rabbit_url) as plain:
        for event in events:
            plain.publish("dms.shards", str(shard_of(json.loads(event)["subject"], SHARDS)), event)


def _reconciled(ground: Ground) -> dict[str, int]:
    """What `dms store reconcile` says, by list."""
    done = subprocess.run(
        [*DMS, *"store reconcile --left left.jsonl --events events.jsonl --out lists --config dms.toml".split()],
        cwd=ground.folder, env=environment(), capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr[-500:]
    names = ("again", "later", "forgotten", "standing", "new")
    return {name: len(_lines(ground.folder / "lists" / f"{name}.jsonl")) for name in names}


def _write(file: Path, lines: list[bytes]) -> list[bytes]:
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    return lines


def _lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines()


def _commands(bodies: Iterable[bytes]) -> set[str]:
    """The ids of commands, of events and batches of them, or of the lists' lines."""
    found: set[str] = set()
    for body in bodies:
        said = json.loads(body)
        events: list[dict[str, Any]] = said if isinstance(said, list) else [said]
        for each in events:
            if "command_id" in each:
                found.add(each["command_id"])
            elif each["type"] == _COMMAND:
                found.add(each["data"]["command_id"])
    return found
