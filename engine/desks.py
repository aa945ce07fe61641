"""Stub until the manager supervisors are wired."""

from typing import Final

from actors.errand import Errand
from domain.policy import Policy
from domain.record import Record
from engine.lanes import ThreadLane
from engine.ports import State


class Desks:
    def __init__(self, lane: ThreadLane, policy: Policy) -> None:
        self._lane: Final = lane

    def restore(self, states: object) -> None: ...
    def change_policy(self, policy: Policy) -> None: ...
    def take_changed(self) -> dict[str, State]:
        return {}

    def tell(self, worked: list[Errand], until: int) -> dict[str, list[Record]]:
        return {}
