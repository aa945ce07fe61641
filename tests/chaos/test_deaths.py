"""A few deaths with every change; `make chaos` has the others, and many more of them."""

from pathlib import Path

import pytest

from tests.chaos.field import field
from tests.chaos.promises.deaths import short


@pytest.mark.services
@pytest.mark.timeout(180)
def test_nothing_is_lost_or_doubled_when_nodes_database_and_broker_die_and_a_node_stands_still(tmp_path: Path) -> None:
    """Under load, judged by a receiver outside the engine against a replay, and by what the store says of itself."""
    with field(tmp_path, seed=1) as servers:
        print(short(servers))
