"""The dashboard's frame: one navigation, one registry. `picdeed dashboard` starts it."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from picdeed.core.errors import PicdeedError
from picdeed_ui import data
from picdeed_ui.parts.words import problem, words

st.set_page_config(page_title="picdeed", page_icon="🖼️", layout="wide")
st.html(Path(__file__).parent / "picdeed_ui" / "parts" / "look.css")

PAGES = {
    "": [
        st.Page("picdeed_ui/pages/overview.py", title="Overview", default=True),
    ],
    "Pictures": [
        st.Page("picdeed_ui/pages/register.py", title="Register", url_path="register"),
        st.Page("picdeed_ui/pages/browse.py", title="Browse", url_path="browse"),
        st.Page("picdeed_ui/pages/copies.py", title="Copies", url_path="copies"),
    ],
    "Permission": [
        st.Page("picdeed_ui/pages/rights.py", title="Rights", url_path="rights"),
        st.Page("picdeed_ui/pages/contracts.py", title="Contracts", url_path="contracts"),
        st.Page("picdeed_ui/pages/revoke.py", title="Revoke", url_path="revoke"),
    ],
    "Models": [
        st.Page("picdeed_ui/pages/tune.py", title="Fine-tune", url_path="tune"),
        st.Page("picdeed_ui/pages/outputs.py", title="Outputs", url_path="outputs"),
        st.Page("picdeed_ui/pages/inside.py", title="How it draws", url_path="how-it-draws"),
    ],
    "Proof": [
        st.Page("picdeed_ui/pages/audit.py", title="Audit", url_path="audit"),
    ],
}

page = st.navigation(PAGES)
try:
    registry = data.registry()
    with st.sidebar:
        words("registry-name", f"Registry {registry.root}")
    page.run()
except PicdeedError as error:
    # Every error that is meant for a person already says what stayed unchanged.
    problem(error)
