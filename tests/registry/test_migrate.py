"""Do the migrations make exactly the tables that the code describes?"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from picdeed.core.resources import bundled
from picdeed.registry import migrate
from picdeed.registry.schema import metadata


def engine(tmp_path):
    return sa.create_engine(f"sqlite:///{tmp_path / 'db.sqlite'}")


def test_migrated_tables_equal_the_described_ones(registry):
    with registry.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, metadata()) == []
        inspector = sa.inspect(connection)
        for table in metadata().sorted_tables:  # autogenerate does not look at primary keys
            key = inspector.get_pk_constraint(table.name)
            assert key["constrained_columns"] == [c.name for c in table.primary_key]


def test_a_difference_would_be_seen(registry):
    with registry.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE pictures DROP COLUMN media_type"))
        connection.execute(sa.text("DROP INDEX ix_runs_snapshot_id"))
        found = compare_metadata(MigrationContext.configure(connection), metadata())
    assert {change[0] for change in found} == {"add_column", "add_index"}


def test_the_newest_revision_is_the_one_the_code_names():
    scripts = ScriptDirectory(str(bundled("migrations")))
    assert scripts.get_current_head() == migrate.REVISION


def test_no_ini_file_is_needed():
    assert not list(bundled("migrations").rglob("*.ini"))


def test_upgrade_is_repeatable_and_can_be_taken_back(tmp_path):
    with engine(tmp_path).begin() as connection:
        assert migrate.revision(connection) is None
        for _ in range(2):
            migrate.upgrade(connection)
            assert migrate.revision(connection) == migrate.REVISION
        command.downgrade(migrate.alembic_config(connection), "base")
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]
        assert migrate.revision(connection) is None


def test_the_folder_may_have_any_name(tmp_path, monkeypatch):
    folder = tmp_path / "100% of it; all, of: it"
    folder.symlink_to(bundled("migrations"), target_is_directory=True)
    monkeypatch.setattr(migrate, "bundled", lambda _: folder)
    with engine(tmp_path).begin() as connection:
        migrate.upgrade(connection)
        assert migrate.revision(connection) == migrate.REVISION
