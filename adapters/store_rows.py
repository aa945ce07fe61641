"""What the stores in databases have in common between the port and their rows."""

from collections.abc import Collection, Mapping, Sequence

from adapters.state_codec import decode_state
from domain.shards import shard_of
from engine.ports import HeldEvent, Loaded


class Shards(dict[str, int]):
    """The shards of ids, each computed once."""

    def __init__(self, shards: int) -> None:
        self._shards = shards

    def __missing__(self, profile_id: str) -> int:
        shard = self[profile_id] = shard_of(profile_id, self._shards)
        return shard


def loaded_of(
    profile_ids: Sequence[str],
    states: Mapping[str, tuple[bytes, int]],
    held: Mapping[str, Sequence[HeldEvent]],
    quarantined: Collection[str],
) -> dict[str, Loaded]:
    """What `Store.load` answers: ``states`` are encoded, with their versions; of whom nothing is known is left out."""
    found: dict[str, Loaded] = {}
    for profile_id in profile_ids:
        body, version = states.get(profile_id, (None, 0))
        waiting = held.get(profile_id, ())
        if body is not None or waiting or profile_id in quarantined:
            state = decode_state(body) if body is not None else None
            found[profile_id] = Loaded(state, version, tuple(waiting), profile_id in quarantined)
    return found
