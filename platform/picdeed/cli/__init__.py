"""The command line: parse, call, show. No rules, no SQL, no torch."""

from picdeed.cli import (
    around,
    bundle,
    duplicates,
    keep,
    look,
    models,
    revoke,
    rights,
    signals,
    stages,
)  # importing them registers their commands
from picdeed.cli.app import app, main

__all__ = [
    "app",
    "around",
    "bundle",
    "duplicates",
    "keep",
    "look",
    "main",
    "models",
    "revoke",
    "rights",
    "signals",
    "stages",
]
