"""Where is the registry, and how does one read from it or write to it?

A registry is a folder: registry.sqlite, blobs/, heads/, keys/ (0700), cache/. With a database URL
the folder given as `blobs` holds everything but the tables.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event as hooks
from sqlalchemy.orm import Session

from picdeed.core.errors import (
    BusyError,
    IntegrityError,
    MissingPart,
    NotARegistry,
    PicdeedError,
    UsageError,
)
from picdeed.core.events import Event
from picdeed.core.settings import Settings
from picdeed.registry import heads as tree_heads
from picdeed.registry import ledger, migrate
from picdeed.registry.blobs import Blobs, write_atomically
from picdeed.registry.ledger import LedgerSession, Writer, utc_now
from picdeed.registry.schema import table_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from picdeed.registry.heads import LedgerKey

# Session and utc_now are passed on: the stages annotate with them and may not import SQLAlchemy.
__all__ = ["Registry", "Session", "create_registry", "open_registry", "utc_now"]

DATABASE = "registry.sqlite"
HIDDEN = ".picdeed"
BUSY_SECONDS = 30.0
_ADVISORY_LOCK = 0x706963646565  # "picdee": one writer at a time on PostgreSQL
_DAMAGE = ("not a database", "malformed", "Could not decode")  # in SQLite's messages
_NO_ROOM = ("database or disk is full", "disk I/O error")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Registry:
    """An open registry. `root` is the folder that holds blobs, heads, keys and cache."""

    root: Path
    engine: sa.Engine
    blobs: Blobs
    schema_revision: str

    @property
    def heads(self) -> Path:
        """The folder of signed tree heads."""
        return self.root / "heads"

    @property
    def keys(self) -> Path:
        """The folder of private keys, closed to other users."""
        return self.root / "keys"

    @property
    def cache(self) -> Path:
        """What can be made again: thumbnails, previews."""
        return self.root / "cache"

    def thumbnail(self, digest: str) -> Path:
        """Where the thumbnail of the picture with this SHA-256 lies, when it was made."""
        return self.cache / "thumbnails" / digest[:2] / f"{digest}.webp"

    def keep_thumbnail(self, digest: str, data: bytes) -> None:
        """Keep a picture's thumbnail (WebP bytes); it can be made again, so no ledger row."""
        path = self.thumbnail(digest)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data)

    @property
    def ledger_key(self) -> Path:
        """The file of the key that signs events and heads."""
        return self.keys / "ledger.pem"

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session on one consistent state of the database; nothing can be written through it."""
        engine = self.engine
        if engine.dialect.name == "postgresql":  # SQLite reads one state by itself
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with _session(engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session for `ledger.write`: commits at the end, rolls back on any error.

        One writer at a time; raises BusyError after 30 s of waiting, IntegrityError when the
        database does not hold what the newest signed head vouches for.
        """
        key = tree_heads.load_key(self.ledger_key)
        engine = self.engine.execution_options(picdeed_write=True)
        with _session(engine) as session:
            _lock(session)
            started, digest = self._seal(session, key)
            writer = session.info["writer"] = Writer(key, started, digest, table_order())
            yield session
            session.commit()
        if writer.committed and writer.committed[0] > started:
            self._publish(key, *writer.committed)

    def close(self) -> None:
        """Close the database's connections; the registry opens them again when needed."""
        self.engine.dispose()

    def _seal(self, session: Session, key: LedgerKey) -> tuple[int, str]:
        """Vouch for what a killed writer left without a head; gives the last event."""
        last, digest = ledger.last_event(session)
        head = tree_heads.newest_head(self.heads)
        sealed = head.sequence if head else 0
        if head and _hash_at(session, head.sequence) != head.hash:
            raise IntegrityError(
                f"The newest tree head vouches for event {head.sequence}, which the database "
                f"does not hold (it ends at {last}). Nothing was written.",
                hint="Run picdeed audit. An older database was put in place of the newest one?",
            )
        if sealed < last:
            tree_heads.publish(self.heads, tree_heads.sign_head(key, last, digest))
        return last, digest

    def _publish(self, key: LedgerKey, sequence: int, digest: str) -> None:
        try:
            tree_heads.publish(self.heads, tree_heads.sign_head(key, sequence, digest))
        except OSError as error:
            # The events are committed; the next writer seals them.
            _log.warning("the tree head of event %d was not written: %s", sequence, error)


def create_registry(where: str | Path, blobs: Path | None = None) -> Registry:
    """Make `where` a registry, or bring the one that is there to the newest schema.

    Repeating it changes nothing. Raises UsageError when `where` is a file, or a database URL
    without a folder for the blobs.
    """
    root, url = _locate_new(where, blobs)
    for name in ("", "blobs", "heads", "cache"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "keys").mkdir(mode=0o700, exist_ok=True)
    (root / "keys").chmod(0o700)
    engine = _engine(url)
    if engine.dialect.name == "sqlite":
        _use_wal(engine)
    with _database_errors(), engine.execution_options(picdeed_write=True).begin() as connection:
        migrate.upgrade(connection)
        has_events = connection.execute(sa.select(ledger.LedgerEvent.seq).limit(1)).first()
    registry = Registry(root, engine, Blobs(root / "blobs"), migrate.REVISION)
    if has_events is None:
        tree_heads.create_key(registry.ledger_key)
        _begin_ledger(registry)
    tree_heads.load_key(registry.ledger_key)
    return registry


def open_registry(where: str | Path | None = None, blobs: Path | None = None) -> Registry:
    """Open a registry: its folder, that folder's parent, or a database URL with `blobs`.

    Without `where`: PICDEED_REGISTRY, or the nearest `.picdeed/` upward. Raises NotARegistry
    when there is none or its schema is not this version's.
    """
    settings = Settings()
    if where is None and settings.registry:
        where = settings.registry
    if blobs is None and settings.blobs:
        blobs = Path(settings.blobs)
    root, url = _locate(where, blobs)
    engine = _engine(url)
    with _database_errors(), engine.connect() as connection:
        found = migrate.revision(connection)
    if found != migrate.REVISION:
        engine.dispose()
        raise NotARegistry(
            f"{root} has the schema {found or 'of no registry'}; this picdeed reads "
            f"{migrate.REVISION}. Nothing was changed.",
            hint=f"picdeed init {root} brings an older registry up to date.",
        )
    return Registry(root, engine, Blobs(root / "blobs"), found)


def _begin_ledger(registry: Registry) -> None:
    with registry.write() as session:
        if ledger.last_event(session)[0] == 0:
            key = tree_heads.load_key(registry.ledger_key)
            payload = {"schema_revision": migrate.REVISION, "ledger_key": key.public}
            ledger.write(session, Event.INIT_REGISTRY, payload, ())


def _locate_new(where: str | Path, blobs: Path | None) -> tuple[Path, sa.URL]:
    if _is_url(where):
        return _blob_folder(blobs), sa.make_url(str(where))
    root = Path(where).expanduser().absolute()
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root} is a file, not a folder.", hint="picdeed init DIR")
    return root, _sqlite_url(root)


def _locate(where: str | Path | None, blobs: Path | None) -> tuple[Path, sa.URL]:
    if where is not None and _is_url(where):
        return _blob_folder(blobs), sa.make_url(str(where))
    start = Path(where).expanduser().absolute() if where is not None else Path.cwd()
    places = [start] if where is not None else [start, *start.parents]
    for place in places:
        for root in (place, place / HIDDEN):
            if (root / DATABASE).is_file():
                return root, _sqlite_url(root)
    raise NotARegistry(
        f"There is no registry in {start}" + (" or above it." if where is None else "."),
        hint="picdeed init makes one.",
    )


def _is_url(where: str | Path) -> bool:
    return isinstance(where, str) and "://" in where


def _blob_folder(blobs: Path | None) -> Path:
    if blobs is None:
        # The URL may hold a password, so the message does not repeat it.
        raise UsageError(
            "A database URL needs a folder for the blobs too.", hint="Add --blobs DIR."
        )
    return Path(blobs).expanduser().absolute()


def _sqlite_url(root: Path) -> sa.URL:
    return sa.URL.create("sqlite", database=str(root / DATABASE))


def _engine(url: sa.URL) -> sa.Engine:
    options: dict[str, Any] = {}
    if url.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": BUSY_SECONDS}
    try:
        engine = sa.create_engine(url, **options)
    except sa.exc.ArgumentError as error:
        raise UsageError(f"This database URL cannot be read: {error}") from error
    except ModuleNotFoundError as error:
        raise MissingPart(
            f"The driver {error.name!r} for {url.get_backend_name()} is not installed."
        ) from error
    if engine.dialect.name == "sqlite":
        hooks.listen(engine, "connect", _prepare_sqlite)
    hooks.listen(engine, "begin", _begin)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not open transactions by itself: `_begin` says which kind it is.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    writing = connection.get_execution_options().get("picdeed_write", False)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
    elif connection.dialect.name == "postgresql" and writing:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")


def _use_wal(engine: sa.Engine) -> None:
    # Lasting: WAL is a property of the file. The switch ignores the busy timeout, so two
    # processes that make the same registry at once have to take turns by themselves.
    until = time.monotonic() + BUSY_SECONDS
    raw = engine.raw_connection()
    try:
        while True:
            try:
                raw.cursor().execute("PRAGMA journal_mode = WAL")
            except engine.dialect.dbapi.OperationalError as error:  # type: ignore[union-attr]
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.05)
            else:
                return
    finally:
        raw.close()


@contextmanager
def _session(engine: sa.Engine) -> Iterator[Session]:
    with (
        _database_errors(),
        LedgerSession(engine, expire_on_commit=False, autoflush=False) as session,
    ):
        yield session


def _lock(session: Session) -> None:
    session.connection()  # begins: BEGIN IMMEDIATE, or the advisory lock


def _hash_at(session: Session, sequence: int) -> str | None:
    wanted = sa.select(ledger.LedgerEvent.hash).where(ledger.LedgerEvent.seq == sequence)
    return session.execute(wanted).scalar_one_or_none()


@contextmanager
def _database_errors() -> Iterator[None]:
    try:
        yield
    except sa.exc.DatabaseError as error:
        said = str(error.orig)
        if "database is locked" in said:
            raise BusyError(
                "Another process is writing to the registry; nothing was changed.",
                hint="Try again when it has finished.",
            ) from error
        if any(sign in said for sign in _NO_ROOM):
            raise PicdeedError(
                f"The registry cannot be written to ({said}); nothing was recorded.",
                hint="Make room on its disk, then repeat the command: what was recorded before is "
                "whole.",
            ) from error
        if any(sign in said for sign in _DAMAGE):
            raise IntegrityError(
                f"The registry's database is damaged: {said}", hint="Run picdeed audit."
            ) from error
        raise
