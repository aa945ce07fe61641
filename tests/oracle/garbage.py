"""Random histories in which much is wrong: each line is an object with a time, and of the rest nothing is certain."""

import json
import random
from typing import Any

from .envelope import FIELDS
from .histories import policy_for, random_history

SPOILT = 0.5
ODD_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1,
    7.5,
    10**15,
    -(10**15),
    10**15 + 1,
    2**63,
    10**30,
    1e300,
    "",
    " ",
    "0",
    "-1",
    "a" * 300,
    "\x00",
    "line\nfeed",
    "скидка \U0001f4b8",
    "0001-01-01",
    "9999-12-31",
    "2024-02-30",
    "2024-1-1",
    "1" * 18,
    "1" * 40,
    [],
    {},
    [[]],
    [None, 1, "x"],
    {"a": {"b": [1, 2, {"c": None}]}},
]
DATES = ["0001-01-01", "0001-12-31", "1969-12-31", "9999-12-30", "9999-12-31"]
AMOUNTS = [1, 10**15 - 1, 10**15]


def spoilt_history(seed: int) -> list[str]:
    """JSON lines in order of time: a random history, half of it spoilt."""
    rng = random.Random(f"garbage {seed}")
    spoilt = []
    for number, line in enumerate(random_history(seed, accounts=4, events=140, policy=policy_for(seed))):
        event = json.loads(line)
        if rng.random() < SPOILT:
            for _ in range(rng.choice([1, 1, 1, 2, 4])):
                _spoil(rng, event)
            event.setdefault("noise", number)  # no two lines have the same bytes
        spoilt.append(json.dumps(event))
    return spoilt


def _spoil(rng: random.Random, event: dict[str, Any]) -> None:
    """One thing is wrong, or at the edge of what is right."""
    attributes = [
        name for name in ("id", "source", "type", "subject", "sequence", "specversion", "data") if name in event
    ]
    data: dict[str, Any] = event["data"] if isinstance(event.get("data"), dict) else {}
    fields = list(data)
    match rng.choice(
        ["attribute", "missing", "type", "known-type", "field", "field", "no-field", "edge", "edge", "edge"]
    ):
        case "attribute":
            event[rng.choice([*attributes, "sequence"])] = rng.choice(ODD_VALUES)
        case "missing" if attributes:
            del event[rng.choice(attributes)]
        case "type":
            event["type"] = rng.choice(["dms.payment.received.v2", "dms.run.opened.v1", "io.example", "dms."])
        case "known-type":
            event["type"] = rng.choice(list(FIELDS))
        case "field" if fields:
            data[rng.choice(fields)] = rng.choice(ODD_VALUES)
        case "no-field" if fields:
            del data[rng.choice(fields)]
        case "edge" if fields:
            event["data"] = {name: _at_the_edge(rng, value) for name, value in data.items()}


def _at_the_edge(rng: random.Random, value: Any) -> Any:
    """A sound value of the same kind, as far out as it may be."""
    match value:
        case dict():
            return {name: _at_the_edge(rng, each) for name, each in value.items()}
        case list():
            return [_at_the_edge(rng, each) for each in value] * rng.choice([1, 1, 2])
        case bool():
            return not value
        case int():
            return rng.choice(AMOUNTS) if value > 0 else -rng.choice(AMOUNTS)
        case str() if len(value) == 10 and value[4] == value[7] == "-":
            return rng.choice(DATES)
    return value
