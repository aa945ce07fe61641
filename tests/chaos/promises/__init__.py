"""The promises, each a function that breaks something and returns its figures in a line, or raises AssertionError.

Their first argument is the field, their second the ``share`` of a release's counts: 1 with ``FULL=1``, else a tenth.
"""

from collections.abc import Callable, Mapping
from typing import Final

from tests.chaos.field import Field
from tests.chaos.promises.actors import r13, r14
from tests.chaos.promises.backups import r29
from tests.chaos.promises.deaths import r1, r3, r4, r27
from tests.chaos.promises.effects import r8, r18, r20, r21, r24
from tests.chaos.promises.hours import r16
from tests.chaos.promises.owners import policy_under_load, r10, r11, r12
from tests.chaos.promises.roads import r5, r6, r7, r25, r26

PROMISES: Final[Mapping[str, Callable[[Field, float], str]]] = {
    "R1": r1, "R3": r3, "R4": r4, "R5": r5, "R6": r6, "R7": r7, "R8": r8, "R10": r10, "R11": r11, "R12": r12,
    "R13": r13, "R14": r14, "R16": r16, "R18": r18, "R20": r20, "R21": r21, "R24": r24, "R25": r25, "R26": r26,
    "R27": r27, "R29": r29, "POLICY": policy_under_load,
}  # fmt: skip
"""By the names that they have among the promises of the engine's makers; POLICY is one more."""
