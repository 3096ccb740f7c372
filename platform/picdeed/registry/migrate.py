"""How does a database get the newest tables? Alembic, configured here and in no ini file."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from picdeed.core.resources import bundled

REVISION = "0004"  # the newest migration; a test compares it with the files


def alembic_config(connection: sa.Connection) -> Config:
    """Alembic's configuration around an open connection."""
    config = Config()
    folder = str(bundled("migrations")).replace("%", "%%")  # the ini format's escape
    config.set_main_option("script_location", folder)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: sa.Connection) -> None:
    """Bring the database to the newest revision, inside the connection's transaction."""
    command.upgrade(alembic_config(connection), "head")


def revision(connection: sa.Connection) -> str | None:
    """The database's revision; None when it is no registry yet."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    rows = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all()
    return str(rows[0]) if len(rows) == 1 else None
