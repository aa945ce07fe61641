"""Parcels: scenarios and policies as bytes for another process or machine, with the domain compiled or not.

Compiled classes do not pickle by themselves; what they are made of does.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache
from io import BytesIO
from pickle import Pickler, loads
from typing import Any

from domain.calendar import BusinessCalendar, Zone
from domain.policy import Policy
from sim.scenario import Scenario

Contents = tuple[Scenario, Mapping[str, Policy]]


def packed(contents: Contents | Policy) -> bytes:
    """The bytes of a policy, or of a scenario and policies; days off and conditions must be things that pickle."""
    out = BytesIO()
    _Packer(out).dump(contents)
    return out.getvalue()


@lru_cache(maxsize=2)
def unpacked(parcel: bytes) -> Contents:
    """What was packed; a process that works many units of an experiment unpacks it once."""
    contents: Contents = loads(parcel)  # our own bytes, from the process that began the experiment
    return contents


class _Packer(Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, Zone):
            return Zone, (value.name,)
        if isinstance(value, BusinessCalendar):
            return BusinessCalendar, (value.country,)
        if is_dataclass(value) and not isinstance(value, type) and type(value).__module__.startswith("domain."):
            said = {field.name: getattr(value, field.name) for field in fields(value) if field.init}
            return _made, (type(value), said)
        return NotImplemented


def _made(kind: type, said: dict[str, Any]) -> Any:
    return kind(**said)
