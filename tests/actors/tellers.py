"""Actors that tell the tests what happens to them."""

from collections.abc import Callable
from typing import Any, Final, NoReturn

from actors.lane import LaneActor, LaneRef

ENDS: Final[tuple[type[BaseException], ...]] = (ValueError, SystemExit, KeyboardInterrupt, GeneratorExit)
"""What a handler may raise."""


class Story(list[Any]):
    """What happened, in order, told by all actors of a test."""


class Teller(LaneActor):
    """Writes down what it receives; calls what can be called."""

    registered = False

    def __init__(self, story: Story, name: str = "A") -> None:
        super().__init__()
        self.story = story
        self.name = name

    def on_receive(self, message: Any) -> Any:
        if callable(message):
            return message()
        self.story.append((self.name, message))
        return f"{self.name} got {message}"

    def on_stop(self) -> None:
        self.story.append((self.name, "stopped"))

    def on_failure(self, *exc_info: Any) -> None:
        self.story.append((self.name, "failed", exc_info[0]))

    def undelivered(self, ref: LaneRef[Any], message: Any, exception: BaseException) -> None:
        self.story.append((self.name, "undelivered", message, type(exception)))


class Supervisor(Teller):
    """Hands over every list it receives, naming the actor in its reports."""

    def on_receive(self, message: Any) -> Any:
        if isinstance(message, list):
            return self.hand_over(message)
        return super().on_receive(message)

    def undelivered(self, ref: LaneRef[Any], message: Any, exception: BaseException) -> None:
        self.story.append((ref._actor.name, "reported", message, type(exception)))


def raising(exception: BaseException | type[BaseException]) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        raise exception

    return fail
