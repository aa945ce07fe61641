"""The shape that messages and events share: slotted, positional, comparable, printable.

Written by hand rather than as dataclasses: creating one costs 0.5 µs interpreted and 0.07 compiled, where a frozen
dataclass takes 3.9 and, compiled, cannot be pickled. Nobody changes a record after it was made.
"""

from typing import ClassVar


class Record:
    """A value named by its class and its fields; ``__match_args__`` lists them in order, the instant ``at`` first."""

    __slots__ = ("at",)
    __match_args__: ClassVar[tuple[str, ...]] = ("at",)

    at: int

    def values(self) -> tuple[object, ...]:
        """The fields' values, in the order of ``__match_args__``: enough to make the record again."""
        return tuple([getattr(self, name) for name in self.__match_args__])

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        assert isinstance(other, Record)
        return self.values() == other.values()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.values()))

    def __repr__(self) -> str:
        shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in self.__match_args__])
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), self.values()
