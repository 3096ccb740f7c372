"""What does the dashboard's server answer? The pages, and pictures under addresses of their own."""

from __future__ import annotations

import streamlit as st

from picdeed_ui.serving import routes

app = st.App("main.py", routes=routes())
