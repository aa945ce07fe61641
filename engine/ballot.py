"""The ballot: two people decide what becomes of the commands that a breaker holds back."""

from collections.abc import Iterable
from typing import Final

from domain.policy import Policy

_VOICES_NEEDED: Final = 2


class VoteRefused(Exception):
    """The vote does not count; the text says why."""


class Ballot:
    """Voices by breaker; the latest of each person counts. Used by the engine's thread alone but for `blown`."""

    def __init__(self) -> None:
        self.blown: Final[set[str]] = set()
        """Breakers that hold commands back until two people have decided."""
        self._voices: Final[dict[str, dict[str, bool]]] = {}

    @staticmethod
    def check(actor: str, policy: Policy) -> None:
        """Raises `VoteRefused` for who has no voice."""
        if not _has_voice(actor, policy):
            raise VoteRefused(f"{actor!r} is no head or administrator")

    def hear(self, breaker: str, actor: str, let_go: bool, policy: Policy) -> bool:
        """Counts a voice; whether two people agree now. A letter may come from anybody who can publish."""
        if breaker not in self.blown or not _has_voice(actor, policy):
            return False
        voices = self._voices.setdefault(breaker, {})
        voices[actor] = let_go
        return list(voices.values()).count(let_go) >= _VOICES_NEEDED

    def decide(self, breaker: str) -> None:
        """Two people agree. Their voices are kept until that is committed: a letter that is committed does not come
        again when a later one is decided anew."""
        self.blown.discard(breaker)

    def close(self, breaker: str) -> None:
        """What was decided is committed."""
        self._voices.pop(breaker, None)

    def restore(self, blown: Iterable[str]) -> None:
        """Begins anew from the breakers that hold commands back; whoever spoke on them has been heard."""
        self.blown.clear()
        self.blown.update(blown)
        for breaker in self._voices.keys() - self.blown:
            del self._voices[breaker]


def _has_voice(actor: str, policy: Policy) -> bool:
    return policy.managers is not None and policy.has_role(actor, "head")
