"""Tiny real pictures and one way to go through a source."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from picdeed.core.limits import DEFAULT
from picdeed.sources import Item, Refused, Skipped, open_source


def is_picture(head: bytes) -> bool:
    return head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"))


class Listing(NamedTuple):
    items: dict[str, Item]
    skipped: dict[str, str]
    refused: dict[str, str]
    warnings: list[str]
    bytes: dict[str, bytes]


@pytest.fixture
def png() -> Callable[..., bytes]:
    def make(shade: int = 0) -> bytes:
        stream = io.BytesIO()
        Image.new("RGB", (4, 3), (shade, 90, 20)).save(stream, "PNG")
        return stream.getvalue()

    return make


@pytest.fixture
def listed() -> Callable[..., Listing]:
    """Everything a source gives, by relative name or by the last part of the path."""

    def go(path: Path, metadata: Path | None = None, limits=DEFAULT) -> Listing:
        found = Listing({}, {}, {}, [], {})
        source = open_source(path, metadata=metadata, is_picture=is_picture, limits=limits)
        for one in source:
            if isinstance(one, Item):
                found.items[one.relative] = one
                found.bytes[one.relative] = one.read()
            elif isinstance(one, Skipped):
                found.skipped[one.path.rsplit("/", 1)[-1]] = one.why
            else:
                assert isinstance(one, Refused)
                found.refused[one.path.rsplit("/", 1)[-1]] = one.reason
        found.warnings.extend(source.warnings)
        return found

    return go
