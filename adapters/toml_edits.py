"""Changes of single values in TOML: by a path such as ``plans.internet.measure.block-internet.day``.

A path follows tables by key and arrays of tables by the ``name`` of an element. It may be applied to what tomllib or
tomlkit parsed: the former to try a change, the latter to write it down between its author's comments.
"""

from collections.abc import Mapping, MutableMapping
from typing import Any, Final


class Dropped:
    """In the place of a value: what stands there is taken away."""

    def __repr__(self) -> str:
        return "without it"


DROPPED: Final = Dropped()


class Edits:
    """Changes for files that are read as one. A value for a key that its table does not have yet is a change too."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values: Final = values
        self.unused: Final = set(values)
        """The paths that led nowhere so far."""

    def apply(self, root: MutableMapping[str, Any]) -> None:
        """Makes the changes that have a place in ``root``."""
        for path, value in self._values.items():
            if put(root, path, value):
                self.unused.discard(path)


def put(root: MutableMapping[str, Any], path: str, value: object) -> bool:
    """Puts ``value`` where ``path`` leads; False where that is nowhere."""
    *way, last = path.split(".")
    holder = _followed(root, way)
    if isinstance(holder, list):
        places = [number for number, each in enumerate(holder) if _is_named(each, last)]
        if not places or not isinstance(value, Dropped):
            return False
        del holder[places[0]]
        return True
    if not isinstance(holder, MutableMapping):
        return False
    if not isinstance(value, Dropped):
        holder[last] = value
    elif last in holder:
        del holder[last]
    return True


def taken(root: Mapping[str, Any], path: str) -> object:
    """What stands where ``path`` leads; None where nothing does."""
    return _followed(root, path.split("."))


def _followed(node: Any, way: list[str]) -> Any:
    for key in way:
        if isinstance(node, list):
            node = next((each for each in node if _is_named(each, key)), None)
        elif isinstance(node, Mapping):
            node = node.get(key)
        else:
            return None
    return node


def _is_named(element: object, name: str) -> bool:
    return isinstance(element, Mapping) and element.get("name") == name
