"""How do pictures come in? Name a folder or drop files; look first, then write."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from picdeed.core.errors import PicdeedError, UsageError
from picdeed.flow import pipeline
from picdeed_ui import data
from picdeed_ui.dropped import laid_out
from picdeed_ui.parts.words import Cell, Stamp, figures, plain, problem, table, words

if TYPE_CHECKING:
    from collections.abc import Iterator

ON_DISK, DROPPED = "A folder on this machine", "Drop files"
WARNINGS = 20

st.title("Register pictures")
words(
    "lead",
    "Bytes are hashed, checked and kept; every statement about a picture becomes a claim. "
    "Nothing is refused for its rights: what may not be used is kept with its verdict.",
)
how = st.radio("Where are they?", (ON_DISK, DROPPED), horizontal=True)
named, files = "", []
if how == DROPPED:
    files = st.file_uploader(
        "Pictures, and a metadata.jsonl or metadata.csv about them", accept_multiple_files=True
    )
else:
    named = st.text_input("Folder, archive or file", placeholder="/home/me/pictures").strip()

left, right = st.columns(2)
dataset = left.text_input("Dataset", placeholder="spring-catalogue").strip()
license_ = right.text_input(
    "Licence of all of them (optional)",
    placeholder="CC-BY-4.0",
    help="An SPDX expression. Captions, authors and licences of single files come from a "
    "metadata.jsonl or metadata.csv beside them, and from the files themselves.",
).strip()
with st.expander("More about them"):
    holder = st.text_input("Rights holder").strip()
    link = st.text_input("Where they were taken from (URL)").strip()
    rows_at = st.text_input(
        "Metadata table", placeholder="/usr/share/doc/lomiri-wallpapers/copyright",
        help="csv, jsonl, parquet or a Debian copyright file.",
    ).strip()  # fmt: skip


@contextlib.contextmanager
def source() -> Iterator[Path]:
    """The named folder, or one that holds what was dropped until it was read."""
    if how == ON_DISK:
        if not named:
            raise UsageError("No folder was named; nothing was read.")
        yield Path(named).expanduser()
        return
    if not files:
        raise UsageError("No file was dropped; nothing was read.")
    dropped = [(file.name, file.getvalue()) for file in files]
    with laid_out(data.registry().cache, dropped) as place:
        yield place


def run(*, dry_run: bool) -> pipeline.Registered:
    """Read the source; with `dry_run` nothing is written. Raises PicdeedError."""
    if not dataset:
        raise UsageError(
            "The dataset has no name; nothing was read.", hint="A short word will do: cats."
        )
    given = pipeline.Given(license=license_ or None, holder=holder or None, source_url=link or None)
    told = st.empty()
    with source() as place:
        done = pipeline.register(
            data.registry(),
            place,
            dataset,
            given=given,
            table=Path(rows_at).expanduser() if rows_at else None,
            dry_run=dry_run,
            progress=lambda what, at, total: told.caption(
                f"{what}: {at}" + (f" of {total}" if total else "")
            ),
        )
    told.empty()
    return done


def show(done: pipeline.Registered) -> None:
    ingested = done.ingested
    if ingested.dry_run:
        st.info(
            f"Dry run: {ingested.registered} pictures would be registered in "
            f"{plain(ingested.dataset)}. Nothing was written."
        )
    else:
        st.success(f"{ingested.registered} pictures were registered in {plain(ingested.dataset)}.")
    figures(
        (
            ("new", ingested.registered, False),
            ("known already", ingested.known, False),
            ("skipped, no pictures", ingested.skipped, False),
            ("refused", len(ingested.refused), bool(ingested.refused)),
        )
    )
    if done.conclusions:
        counted = Counter((lic, ver["train"]) for lic, ver in done.conclusions.values())
        rows: list[list[Cell]] = [[lic, Stamp(ver), n] for (lic, ver), n in counted.most_common()]
        table(("concluded licence", "may train", "pictures"), rows)
    if ingested.refused:
        st.subheader("Refused")
        table(
            ("file", "reason", "why"),
            [[Path(one.path).name, one.reason, one.message] for one in ingested.refused],
        )
    if ingested.warnings:
        with st.expander(f"{len(ingested.warnings)} warnings", expanded=not ingested.dry_run):
            table(("what to know",), [[warning] for warning in ingested.warnings[:WARNINGS]])
    if not ingested.dry_run and ingested.pictures:
        st.page_link(
            "picdeed_ui/pages/browse.py",
            label="Browse them",
            icon=":material/arrow_forward:",
            query_params={"dataset": ingested.dataset},
        )


look, write, _ = st.columns((1, 1, 2))
looked = look.button("Dry run", width="stretch", help="Reads everything, writes nothing.")
written = write.button("Register", type="primary", width="stretch")
if looked or written:
    st.session_state.pop("registered", None)
    try:
        with st.spinner("Reading"):
            st.session_state["registered"] = run(dry_run=looked)
    except PicdeedError as error:
        problem(error)
shown = st.session_state.get("registered")
if shown is not None:
    show(shown)
