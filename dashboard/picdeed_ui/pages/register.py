"""How do pictures come in? Name a folder or drop files; look first, then write."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import streamlit as st
from picdeed.core.errors import PicdeedError
from picdeed.flow import pipeline
from picdeed_ui import data
from picdeed_ui.parts.words import plain, problem

st.title("Register")
st.write("Bytes are hashed, checked and kept; every statement about a picture becomes a claim.")

how = st.radio("Where are the pictures?", ("A folder on this machine", "Drop files"), horizontal=True)
folder: Path | None = None
dropped = []
if how == "Drop files":
    dropped = st.file_uploader(
        "Pictures (and a metadata.jsonl or metadata.csv)", accept_multiple_files=True
    )
else:
    named = st.text_input("Folder", placeholder="/home/me/pictures")
    folder = Path(named).expanduser() if named.strip() else None

left, middle, right = st.columns(3)
dataset = left.text_input("Dataset", placeholder="spring-catalogue")
license_ = middle.text_input(
    "Licence of all of them (optional)", placeholder="CC-BY-4.0", help="An SPDX expression."
)
holder = right.text_input("Rights holder (optional)")


def source() -> Path | None:
    """The named folder, or a folder that holds what was dropped (names stripped of paths)."""
    if how != "Drop files":
        return folder
    if not dropped:
        return None
    place = Path(tempfile.mkdtemp(prefix="picdeed-drop-"))
    for file in dropped:
        (place / Path(file.name).name).write_bytes(file.getvalue())
    return place


def run(*, dry_run: bool) -> pipeline.Registered | None:
    place = source()
    if place is None or not dataset.strip():
        st.warning("Name a folder or drop files, and name a dataset.")
        return None
    given = pipeline.Given(license=license_ or None, holder=holder or None)
    with st.status("Reading pictures", expanded=False) as status:
        try:
            done = pipeline.register(
                data.registry(),
                place,
                dataset.strip(),
                given=given,
                dry_run=dry_run,
                progress=lambda what, at, total: status.update(
                    label=f"{what}: {at}" + (f" of {total}" if total else "")
                ),
            )
        except PicdeedError as error:
            status.update(label="Nothing was registered", state="error")
            problem(error)
            return None
        status.update(label="Read", state="complete")
    return done


def show(done: pipeline.Registered) -> None:
    ingested = done.ingested
    word = "would be registered" if ingested.dry_run else "registered"
    st.success(
        f"{ingested.registered} {word}, {ingested.known} known already, "
        f"{ingested.skipped} skipped, {len(ingested.refused)} refused."
    )
    if done.conclusions:
        counted = Counter((lic, ver["train"]) for lic, ver in done.conclusions.values())
        st.dataframe(
            [{"licence": lic, "train": ver, "pictures": n} for (lic, ver), n in counted.items()],
            hide_index=True,
        )
    if ingested.refused:
        st.subheader("Refused")
        st.dataframe(
            [
                {"file": Path(one.path).name, "reason": one.reason, "why": one.message}
                for one in ingested.refused
            ],
            hide_index=True,
            width="stretch",
        )
    for warning in ingested.warnings[:20]:
        st.warning(plain(warning))


look, write = st.columns(2)
if look.button("Dry run", width="stretch", help="Reads everything, writes nothing."):
    found = run(dry_run=True)
    if found is not None:
        show(found)
if write.button("Register", type="primary", width="stretch"):
    found = run(dry_run=False)
    if found is not None:
        show(found)
        st.page_link("picdeed_ui/pages/browse.py", label="Browse them")
