"""Are PICDEED_* variables read, checked, and nothing else?"""

import pytest
from pydantic import ValidationError

from picdeed.core.settings import Settings


def test_without_variables_everything_is_unset():
    assert set(Settings().model_dump().values()) == {None}


def test_variables_are_read_with_their_prefix_and_types(monkeypatch):
    monkeypatch.setenv("PICDEED_REGISTRY", "/data/deeds")
    monkeypatch.setenv("PICDEED_BLOBS", "/data/blobs")
    monkeypatch.setenv("PICDEED_THREADS", "2")
    read = Settings()
    assert (read.registry, read.blobs, read.threads) == ("/data/deeds", "/data/blobs", 2)


def test_variables_without_the_prefix_are_not_ours(monkeypatch):
    monkeypatch.setenv("REGISTRY", "/elsewhere")
    monkeypatch.setenv("THREADS", "7")
    assert Settings().registry is None
    assert Settings().threads is None


def test_a_wrong_value_is_refused_and_named(monkeypatch):
    monkeypatch.setenv("PICDEED_THREADS", "many")
    with pytest.raises(ValidationError, match="threads"):
        Settings()


def test_settings_cannot_be_changed_in_passing():
    with pytest.raises(ValidationError):
        Settings().registry = "elsewhere"
