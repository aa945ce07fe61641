"""What every coordination promises, in sentences. `test_coordination` applies it to each of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from engine.ports import Coordination

SHARDS: Final = 64
PATIENCE_SECONDS: Final = 60.0


def eventually(look: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Waits until it is so."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@dataclass
class Group:
    """Members under test. ``enter`` makes one of a name, ``crash`` ends one without a word."""

    enter: Callable[[str], Coordination]
    crash: Callable[[Coordination], None]
    members: dict[str, Coordination] = field(default_factory=dict)
    at_end: list[Callable[[], None]] = field(default_factory=list)

    def join(self, *names: str) -> list[Coordination]:
        for name in names:
            self.members[name] = self.enter(name)
        return [self.members[name] for name in names]

    def leave(self, name: str) -> None:
        self.members.pop(name).close()

    def lose(self, name: str) -> None:
        self.crash(self.members.pop(name))

    def wanted(self) -> dict[str, frozenset[int] | None]:
        return {name: member.wanted() for name, member in self.members.items()}

    def has_settled(self) -> bool:
        """Whether every shard falls to exactly one of the members, evenly."""
        loads = [wanted or frozenset() for wanted in self.wanted().values()]
        sizes = [len(load) for load in loads]
        return sorted(shard for load in loads for shard in load) == list(range(SHARDS)) and max(sizes) - min(sizes) <= 1

    def settled(self) -> dict[int, str]:
        """The member of each shard, once it is so."""
        eventually(self.has_settled)
        return {shard: name for name, wanted in self.wanted().items() for shard in wanted or ()}


class CoordinationContract:
    """Apply it by a fixture ``group`` that nobody has joined."""

    def test_a_member_alone_has_every_shard(self, group: Group) -> None:
        group.join("a")
        assert set(group.settled()) == set(range(SHARDS))

    def test_members_share_the_shards_evenly_and_none_falls_to_two(self, group: Group) -> None:
        group.join("a", "b", "c")
        held = group.settled()
        assert sorted(list(held.values()).count(name) for name in "abc") == [21, 21, 22]

    def test_who_comes_takes_a_share_and_nothing_else_moves(self, group: Group) -> None:
        group.join("a", "b")
        before = group.settled()
        group.join("c")
        after = group.settled()
        moved = {shard for shard in range(SHARDS) if before[shard] != after[shard]}
        assert moved == {shard for shard in range(SHARDS) if after[shard] == "c"}
        assert len(moved) == 21

    def test_the_shards_of_who_leaves_go_to_the_others_and_nothing_else_moves(self, group: Group) -> None:
        group.join("a", "b", "c")
        before = group.settled()
        left = group.members["b"]
        group.leave("b")
        assert not left.wanted()
        after = group.settled()
        moved = {shard for shard in range(SHARDS) if before[shard] != after[shard]}
        assert moved == {shard for shard in range(SHARDS) if before[shard] == "b"}

    def test_the_shards_of_who_dies_go_to_the_others(self, group: Group) -> None:
        group.join("a", "b", "c")
        before = group.settled()
        group.lose("a")
        after = group.settled()
        assert {shard for shard in range(SHARDS) if before[shard] != after[shard]} == {
            shard for shard in range(SHARDS) if before[shard] == "a"
        }

    def test_who_comes_back_has_a_share_again(self, group: Group) -> None:
        group.join("a", "b")
        group.settled()
        group.lose("b")
        group.settled()
        group.join("b")
        assert list(group.settled().values()).count("b") == SHARDS // 2

    def test_who_leaves_and_comes_back_at_once_is_one_member(self, group: Group) -> None:
        group.join("a", "b")
        group.settled()
        for _ in range(3):
            group.leave("b")
            group.join("b")
        assert list(group.settled().values()).count("b") == SHARDS // 2

    def test_a_second_one_of_a_name_has_nothing_until_the_first_is_gone(self, group: Group) -> None:
        group.join("a", "b")
        before = group.settled()
        first = group.members["b"]
        second = group.enter("b")
        group.at_end.append(second.close)
        time.sleep(0.3)
        assert not second.wanted()
        assert first.wanted() == frozenset(shard for shard in range(SHARDS) if before[shard] == "b")
        first.close()
        group.members["b"] = second
        assert list(group.settled().values()).count("b") == SHARDS // 2

    def test_names_may_be_any_that_settings_allow(self, group: Group) -> None:
        group.join("node-1.example", "N_2", "x" * 100)
        assert set(group.settled().values()) == {"node-1.example", "N_2", "x" * 100}

    def test_the_last_one_takes_everything(self, group: Group) -> None:
        group.join("a", "b", "c")
        group.settled()
        group.leave("c")
        group.lose("a")
        assert set(group.settled().values()) == {"b"}
