"""An independent reading of the policy specification, in the plainest Python.

It plays recorded events on a virtual clock and says what must leave, naively and slowly, so that a faster engine can
be compared with it. It shares no code with that engine. Start with `play` in `reference.py`; `CHOICES.md` lists every
place where the specification leaves a choice, and the one made here.
"""

from .reference import play

__all__ = ["play"]
