"""A few of the promises in the default suite, with few counts; `make chaos` has all of them."""

from collections.abc import Iterator

import pytest

from tests.chaos.field import Field, field
from tests.chaos.promises import r1, r3, r4, r10


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    """Servers of these tests' own."""
    with field(tmp_path_factory.mktemp("chaos")) as made:
        yield made


def test_nodes_that_are_killed_under_load_lose_and_double_nothing(servers: Field) -> None:
    assert "0 lost, 0 extra, 0 out of order" in r1(servers, 0.02)


def test_a_broker_that_is_killed_under_load_loses_and_doubles_nothing(servers: Field) -> None:
    assert "0 lost, 0 extra, 0 out of order" in r3(servers, 0.02)


def test_a_database_that_is_stopped_at_once_loses_and_doubles_nothing(servers: Field) -> None:
    assert "0 lost, 0 extra, 0 out of order" in r4(servers, 0.01)


def test_a_node_that_was_frozen_and_goes_on_writes_nothing_that_is_not_its_own(servers: Field) -> None:
    assert "0 lost, 0 extra, 0 out of order" in r10(servers, 0.005)
