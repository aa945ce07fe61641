"""How Hypothesis works here: no example is timed, and with CI=true the examples are the same in every run.

And Ctrl-C, for tests that press it.
"""

import os
from collections.abc import Iterator
from signal import SIGINT, default_int_handler, signal

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("anywhere", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("ci", settings.get_profile("anywhere"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "anywhere")


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C is a KeyboardInterrupt, as in a terminal; what runs in the background of a shell ignores it."""
    before = signal(SIGINT, default_int_handler)
    yield
    signal(SIGINT, before)
