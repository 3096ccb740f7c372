"""Are bodies unpacked as servers mean them, and never into more than was asked for?"""

from __future__ import annotations

import contextlib
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.sources.unpack import UnpackError, unpacked

TEXT = b"User-agent: *\nDisallow: /\n"
RAW = zlib.compressobj(wbits=-15)
DEFLATED = RAW.compress(TEXT) + RAW.flush()
CHUNKED = (
    b"5;x=y\r\n" + TEXT[:5] + b"\r\n" + b"%x\r\n" % len(TEXT[5:]) + TEXT[5:] + b"\r\n0\r\n\r\n"
)


@pytest.mark.parametrize(
    ("body", "transfer", "content"),
    [
        (TEXT, "", ""),
        (TEXT, "", "identity"),
        (gzip.compress(TEXT, mtime=0), "", "gzip"),
        (gzip.compress(TEXT, mtime=0), "", "X-GZIP"),
        (zlib.compress(TEXT), "", "deflate"),
        (DEFLATED, "", "deflate"),
        (CHUNKED, "chunked", ""),
        (TEXT, "chunked", ""),
        (TEXT, "", "gzip"),
        (gzip.compress(gzip.compress(TEXT, mtime=0), mtime=0), "", "gzip, gzip"),
        (b"", "", "gzip"),
    ],
)
def test_codings(body, transfer, content):
    assert unpacked(body, transfer, content, 1000) == (TEXT if body else b"")


@pytest.mark.parametrize(
    ("body", "transfer", "content"),
    [
        (gzip.compress(bytes(5000), mtime=0), "", "gzip"),
        (gzip.compress(gzip.compress(bytes(5_000_000), mtime=0), mtime=0), "", "gzip, gzip"),
        (bytes(2000), "", ""),
        (CHUNKED[:-12], "chunked", ""),
        (b"5\r\nhello\r\nffffffff\r\n", "chunked", ""),
        (b"%x\r\n" % 5000 + bytes(5000) + b"\r\n0\r\n\r\n", "chunked", ""),
        (gzip.compress(TEXT, mtime=0)[:-9], "", "gzip"),
        (TEXT, "", "br"),
        (TEXT, "", "deflate"),
    ],
)
def test_what_is_refused(body, transfer, content):
    with pytest.raises(UnpackError):
        unpacked(body, transfer, content, 1000)


@given(
    st.binary(max_size=60),
    st.sampled_from(["", "chunked"]),
    st.sampled_from(["", "gzip", "deflate"]),
)
def test_nothing_else_raises(body, transfer, content):
    with contextlib.suppress(UnpackError):
        assert len(unpacked(body, transfer, content, 40)) <= 40
