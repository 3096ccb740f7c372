"""What did the user set outside the command? Environment variables, read in this one place."""

from __future__ import annotations

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """`PICDEED_*` environment variables; unknown keys in code are errors."""

    model_config = SettingsConfigDict(env_prefix="PICDEED_", extra="ignore", frozen=True)

    registry: str | None = None
    blobs: str | None = None
    threads: int | None = None
    trackers: str | None = None
