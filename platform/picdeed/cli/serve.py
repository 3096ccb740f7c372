"""How does the dashboard start? Streamlit's own server, on the bundled pages, for one registry."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from picdeed.cli.show import say
from picdeed.core.errors import MissingPart, PicdeedError
from picdeed.core.resources import bundled

if TYPE_CHECKING:
    from picdeed.registry.session import Registry


def serve(registry: Registry, port: int, *, address: str = "127.0.0.1") -> None:
    """Serve the dashboard until it is interrupted. Only this machine can reach it."""
    if importlib.util.find_spec("streamlit") is None:
        raise MissingPart(
            "The dashboard is not installed.", hint="pip install 'picdeed[train,dashboard]'"
        )
    folder = bundled("dashboard")
    say(f"Dashboard of {registry.root} on http://{address}:{port} (Ctrl+C ends it)", "bold")
    command = [
        sys.executable, "-m", "streamlit", "run", str(folder / "main.py"),
        f"--server.port={port}", f"--server.address={address}", "--server.headless=true",
        "--browser.gatherUsageStats=false", "--server.fileWatcherType=none",
    ]  # fmt: skip
    environment = {**os.environ, "PICDEED_REGISTRY": str(registry.root)}
    # Streamlit looks for its theme in .streamlit/ below the folder that it is started in.
    try:
        done = subprocess.run(command, env=environment, cwd=folder, check=False)
    except KeyboardInterrupt:
        return
    if done.returncode not in (0, 130, -2, -15):
        raise PicdeedError(
            f"The dashboard ended with exit code {done.returncode}.",
            hint=f"Is port {port} in use? picdeed dashboard --port {port + 1}",
        )
