"""The field: servers of our own on free ports, shared by all checks of a run. None that we did not start is touched.

Each check has a ground of its own on it (ground.py): a virtual host, a database, a root in ZooKeeper.
"""

import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psycopg
from psycopg.sql import SQL, Identifier

from tests.chaos.ground import POLICY, Ground
from tests.services.postgres_server import PostgresServer, postgres_server
from tests.services.rabbit_node import RabbitNode, rabbit_node
from tests.services.zookeeper import ZooKeeperServer, need_zookeeper


class Field:
    """The servers, and the ``seed`` of all that is left to chance. ZooKeeper is started when a check asks for it."""

    def __init__(self, folder: Path, rabbit: RabbitNode, postgres: PostgresServer, seed: int) -> None:
        self.rabbit: Final = rabbit
        self.postgres: Final = postgres
        self.folder: Final = folder
        self.seed: Final = seed
        self._zookeeper: ZooKeeperServer | None = None
        self._grounds = 0

    @property
    def zookeeper(self) -> ZooKeeperServer:
        """Runs from the first call on."""
        if self._zookeeper is None:
            need_zookeeper()
            self._zookeeper = ZooKeeperServer(self.folder / "zookeeper")
            self._zookeeper.start()
        return self._zookeeper

    def chance(self, name: str) -> random.Random:
        """The chance of one check: the same for the same seed, whatever other checks there are."""
        return random.Random(f"{self.seed} {name}")

    @contextmanager
    def ground(self, rules: str = POLICY, **settings: str) -> Iterator[Ground]:
        """A ground for one check, under the policy ``rules``; ``settings`` go over the usual ones, ``__`` for a dot."""
        self._grounds += 1
        name = f"g{self._grounds}"
        self.rabbit.control("add_vhost", name)
        self.rabbit.control("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        with psycopg.connect(self.postgres.url, autocommit=True) as admin:
            admin.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        folder = self.folder / name
        folder.mkdir()
        rabbit_url = f"{self.rabbit.url.rstrip('/')}/{name}"
        ground = Ground(folder, rabbit_url, f"{self.postgres.url.rpartition('/')[0]}/{name}", self.seed)
        try:
            ground.open(rules, settings)
            yield ground
        finally:
            ground.close()
        # It only makes room: the server goes with the field, and a machine under load may not answer in time.
        with suppress(subprocess.SubprocessError):
            self.rabbit.control("delete_vhost", name)

    @contextmanager
    def shared_ground(self, rules: str = POLICY, **settings: str) -> Iterator[Ground]:
        """A ground whose nodes meet in ZooKeeper."""
        root = f"zookeeper://{self.zookeeper.host}/g{self._grounds + 1}"
        with self.ground(rules, coordination=root, **settings) as ground:
            yield ground

    def close(self) -> None:
        """Ends what was started on the way."""
        if self._zookeeper is not None:
            self._zookeeper.kill()


@contextmanager
def field(folder: Path, seed: int) -> Iterator[Field]:
    """A field that is gone afterwards."""
    with rabbit_node(folder / "rabbit") as rabbit, postgres_server(folder / "postgres") as postgres:
        made = Field(folder, rabbit, postgres, seed)
        try:
            yield made
        finally:
            made.close()
