"""How does the dashboard start? Streamlit's own server, on the bundled pages, for one registry."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from picdeed.cli.show import say
from picdeed.core.errors import BusyError, MissingPart
from picdeed.core.resources import bundled

if TYPE_CHECKING:
    from picdeed.registry.session import Registry

LAST_PORT = 65535


def serve(registry: Registry, port: int, *, address: str = "127.0.0.1") -> NoReturn:
    """Become the dashboard's server until it is interrupted. Only this machine can reach it.

    This process is replaced, so whoever ends it ends the server and not only its parent. Raises
    MissingPart without the `dashboard` extra, BusyError when the port is taken.
    """
    if importlib.util.find_spec("streamlit") is None:
        raise MissingPart(
            "The dashboard is not installed.", hint="pip install 'picdeed[train,dashboard]'"
        )
    _require_free(address, port)
    root = registry.root.absolute()
    say(f"Dashboard of {root} on http://{address}:{port} (Ctrl+C ends it)", "bold")
    command = [
        sys.executable, "-m", "streamlit", "run", "serve.py",
        f"--server.port={port}", f"--server.address={address}",
    ]  # fmt: skip
    # Streamlit looks for its settings in .streamlit/ below the folder that it is started in.
    os.chdir(bundled("dashboard"))
    sys.stdout.flush()
    sys.stderr.flush()
    # The pages import the same picdeed as this process, wherever that was started.
    here = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(part for part in (here, os.environ.get("PYTHONPATH", "")) if part)
    environment = {**os.environ, "PICDEED_REGISTRY": str(root), "PYTHONPATH": path}
    os.execve(sys.executable, command, environment)  # noqa: S606 - a list, and no shell


def _require_free(address: str, port: int) -> None:
    with socket.socket() as asked:
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            asked.bind((address, port))
        except OSError as error:
            raise BusyError(
                f"Port {port} cannot be had ({error.strerror}); the dashboard was not started.",
                hint=f"picdeed dashboard --port {port + 1 if port < LAST_PORT else 8501}",
            ) from error
