"""Small stories, each for a sentence of the specification, with what must leave worked out by hand.

The tables are data: a policy, incoming events, and the outgoing ones expected, as text. Nothing here runs anything, so
that whatever claims to follow the specification can be asked for them.
"""

from .agreements import AGREEMENTS
from .contacts import CONTACTS
from .corners import CORNERS
from .intake import INTAKE
from .measures import MEASURES
from .money import MONEY
from .orders import ORDERS
from .story import Story, told

STORIES: list[Story] = [*MEASURES, *CONTACTS, *MONEY, *AGREEMENTS, *ORDERS, *INTAKE, *CORNERS]

__all__ = ["STORIES", "Story", "told"]
