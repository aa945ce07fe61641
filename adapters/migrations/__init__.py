"""Migrations: how a store's schema came to be what it is, one step a file in versions/, run by Alembic.

`migrate` brings any older store to the newest schema, in one transaction. A migration is never edited once released.
"""

import warnings
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from adapters.schema import VERSION

_HERE: Final = Path(__file__).parent
_VERSION_TABLE: Final = "alembic_version"


class SchemaRefused(Exception):
    """This program cannot work with the schema of the store; the message is one line that says what to do."""


def schema_version(connection: Connection) -> str | None:
    """The migration that the store was brought to last; None for an empty database.

    Raises `SchemaRefused` for a database that belongs to something else.
    """
    tables = inspect(connection).get_table_names()
    if _VERSION_TABLE not in tables:
        if tables:
            raise SchemaRefused(f"it is no store: it has other tables ({tables[0]}, say); name another database")
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {_VERSION_TABLE}")).scalar()
    return found


def migrate(connection: Connection) -> bool:
    """Brings the schema up to date within the connection's transaction; returns whether there was anything to do.

    Raises `SchemaRefused` for a schema that only a later version of this program knows.
    """
    version = schema_version(connection)
    if version == VERSION:
        return False
    # Alembic takes 0.2 s to import, and most stores are up to date.
    from alembic.command import upgrade
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise SchemaRefused(f"its schema is {version}, this version of dms knows up to {VERSION}: use a newer dms")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        upgrade(config, VERSION)
    return True
