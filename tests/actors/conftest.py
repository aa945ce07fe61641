"""What tests of actors share: a story, which all actors of a test tell, and a lane."""

import pytest

from engine.lanes import InlineLane
from tests.actors.tellers import Story

# It is run by test_pykka_suite.py, in a process of its own.
collect_ignore = ["pykka_suite"]


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def lane() -> InlineLane:
    return InlineLane("test")
