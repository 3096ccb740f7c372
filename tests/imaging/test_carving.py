"""Is every packet in foreign bytes cut out whole, and is what cannot be cut out reported?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picdeed.imaging.carving import carve, is_marked

INNER = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF>a</rdf:RDF></x:xmpmeta>'
PACKET = b'<?xpacket begin="" id="W5M0"?>' + INNER + b'<?xpacket end="w"?>'
BARE = b"<rdf:RDF>b</rdf:RDF>"


@pytest.mark.parametrize(
    ("data", "packets"),
    [
        (b"..." + PACKET + b"...", [PACKET]),
        (INNER, [INNER]),
        (b"x" + BARE, [BARE]),
        (INNER + b"-" + PACKET, [PACKET, INNER]),
        (INNER.upper(), [INNER.upper()]),
        (b"nothing here", []),
    ],
)
def test_whole_packets(data, packets):
    assert carve(data, (), 1000) == (packets, False)


@pytest.mark.parametrize(
    "data",
    [
        PACKET[:40],
        INNER[:-5],
        BARE[:-6],
        b"plus:DATAMINING",
        b"DMI-Prohibited",
        INNER.decode().encode("utf-16-be"),
        INNER.decode().encode("utf-32-le"),
    ],
)
def test_what_is_left_is_reported(data):
    assert is_marked(data)
    assert carve(data, (), 1000)[1]


def test_a_packet_behind_one_that_was_cut_off():
    packets, left = carve(PACKET[:30] + b"....." + PACKET, (), 1000)
    assert packets == [PACKET]
    assert left


def test_known_packets_and_packets_beyond_the_limit():
    assert carve(b".." + INNER, (INNER,), 1000) == ([], False)
    assert carve(INNER, (), 20)[1]


def test_a_flood_ends():
    packets, left = carve(BARE * 1000, (), 1000)
    assert len(packets) <= 16
    assert left


@given(st.binary(max_size=200))
def test_bytes_without_a_mark_say_nothing(data):
    if not is_marked(data):
        assert carve(data, (), 1000) == ([], False)
