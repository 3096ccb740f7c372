"""Which c2pa library is loaded, is it new enough, and what may it do? No network, no thumbnails."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import MissingPart
from picdeed.credentials.forks import Gate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

# The spec's own EKU; the library refuses it unless it is named (C2PA 2.4, section 14.5.1.1).
CLAIM_SIGNING = "1.3.6.1.4.1.62558.2.1"
# Before 0.91.0 a file whose bytes were replaced could read as trusted (c2pa-rs #2643).
OLDEST = (0, 91, 3)

_LIBRARIES = {"linux": "libc2pa_c.so", "darwin": "libc2pa_c.dylib", "win32": "c2pa_c.dll"}
_PLACE = "C2PA_LIBRARY_NAME"
_first_use = threading.Lock()
_gate = Gate()
_loaded: list[ModuleType] = []


def c2pa() -> ModuleType:
    """The c2pa module, loaded at first use. Raises MissingPart when it is absent or too old."""
    if not _loaded:
        # The place of the library is told through the environment of the whole process.
        with _first_use, _packaged_library():
            try:
                module = importlib.import_module("c2pa")
            except (ImportError, RuntimeError) as error:
                raise MissingPart(
                    f"The credentials library c2pa-python cannot be loaded: {error}",
                    hint="Install picdeed again, for example with `make setup`.",
                ) from error
            _refuse_old(module.sdk_version())
            if not _loaded:
                _gate.watch_forks()
                _loaded.append(module)
    return _loaded[0]


@contextmanager
def opened(anchors: Mapping[str, str]) -> Iterator[tuple[ModuleType, Any]]:
    """The library and a fresh context. No fork happens until the end of the block.

    Everything made from the context must be closed inside the block.
    """
    module = c2pa()
    with _gate.passed(), context(anchors) as here:
        yield module, here


def context(anchors: Mapping[str, str]) -> Any:
    """A fresh reading and signing context.

    `anchors`: trust list URI -> PEM of its roots. Built for each call: a context that was made
    before a fork is refused by the library after it, and building one costs about a millisecond.
    """
    module = c2pa()
    lists = [
        {"trust_kind": "manifest", "trust_uri": uri, "trust_anchors": pem}
        for uri, pem in anchors.items()
    ]
    settings = {
        "version": 1,
        "trust": {"anchors": lists, "trust_config": CLAIM_SIGNING},
        "core": {
            "allowed_network_hosts": [],
            "decode_identity_assertions": False,  # may resolve did:web names
            "max_decompressed_manifest_size_in_mb": 16,
        },
        # sign.py reads every file back in full, so the library's own check would be a second one.
        "verify": {
            "remote_manifest_fetch": False,
            "ocsp_fetch": False,
            "verify_after_sign": False,
        },
        "builder": {"thumbnail": {"enabled": False}},
    }
    return module.Context(module.Settings.from_dict(settings))


@contextmanager
def _packaged_library() -> Iterator[None]:
    """Name the packaged library by its whole path while c2pa is imported.

    Left alone, c2pa-python 0.38 looks into the current folder first and would run any
    libc2pa_c.so that lies beside the pictures.
    """
    place = _packaged_path()
    if place is None:
        yield
        return
    before = os.environ.get(_PLACE)
    os.environ[_PLACE] = str(place)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_PLACE]
        else:
            os.environ[_PLACE] = before


def _packaged_path() -> Path | None:
    spec = importlib.util.find_spec("c2pa")
    name = _LIBRARIES.get(sys.platform)
    if spec is None or name is None:
        return None
    for folder in spec.submodule_search_locations or ():
        for place in (Path(folder) / "libs" / name, Path(folder) / name):
            if place.is_file():
                return place.resolve()
    return None


def _refuse_old(version: str) -> None:
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:3])
    if numbers < OLDEST:
        wanted = ".".join(str(part) for part in OLDEST)
        raise MissingPart(
            f"c2pa {version} is too old to trust: it can call replaced bytes trusted.",
            hint=f"Install a c2pa-python whose native library is {wanted} or newer.",
        )
