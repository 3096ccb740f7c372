"""What does an XMP packet say about rights and about data mining?

PLUS data mining: the property DataMining of http://ns.useplus.org/ldf/xmp/1.0/, IPTC Photo
Metadata Standard 2023.1. Its values are keys of http://ns.useplus.org/ldf/vocab/.
"""

from __future__ import annotations

import logging
from io import BytesIO
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element, ParseError, tostring
from xml.sax import SAXException

from picdeed.core.limits import DEFAULT, Limits
from picdeed.rights.claims import (
    Claim,
    ClaimKind,
    ClaimSource,
    ClaimStatus,
    license_claim,
    plain_claim,
)
from picdeed.rights.signals.iptc import persons_claim, synthetic_claim
from picdeed.rights.signals.plus import MINING_KEYS, mining_claim, release_claim
from picdeed.rights.signals.statement import read_remark, read_statement
from picdeed.rights.signals.tdmrep import reservation_claims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["MINING_KEYS", "read_xmp", "unreadable"]

PARSER = "xmp/2"

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_PLUS = "http://ns.useplus.org/ldf/xmp/1.0/"
_MINING = f"{_PLUS}DataMining"
_PROHIBITED = b"DMI-PROHIBITED"
_DC = "http://purl.org/dc/elements/1.1/"
_RIGHTS = "http://ns.adobe.com/xap/1.0/rights/"
_CC = ("http://creativecommons.org/ns#", "http://web.resource.org/cc/")
_IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_PHOTOSHOP = "http://ns.adobe.com/photoshop/1.0/"
_TDM = "http://www.w3.org/ns/tdmrep#"
# Relative references need a ground to stand on; it is taken off again afterwards.
_GROUND = "http://packet.invalid/"
_PLAIN = {
    f"{_DC}creator": ClaimKind.AUTHOR,
    f"{_RIGHTS}Owner": ClaimKind.HOLDER,
    f"{_DC}title": ClaimKind.TITLE,
    f"{_PLUS}LicensorName": ClaimKind.LICENSOR,
}
_RELEASES = {
    f"{_PLUS}ModelReleaseStatus": ClaimKind.MODEL_RELEASE,
    f"{_PLUS}PropertyReleaseStatus": ClaimKind.PROPERTY_RELEASE,
}
_PERSONS = (f"{_IPTC}PersonInImage", f"{_IPTC}PersonName")
_SOURCE_TYPE = f"{_IPTC}DigitalSourceType"
_TDM_FACTS = (f"{_TDM}reservation", f"{_TDM}policy")
_LICENSES = tuple(f"{space}license" for space in _CC)
_STATEMENTS = {  # whether the property is there to set terms of use
    f"{_DC}rights": False,
    f"{_RIGHTS}UsageTerms": True,
    f"{_RIGHTS}WebStatement": True,
    f"{_PLUS}OtherConstraints": True,
}
# Free texts that may say anything: read for a ban alone.
_REMARKS = (f"{_DC}description", f"{_DC}subject", f"{_PHOTOSHOP}Instructions")
_FACTS = frozenset(
    (*_PLAIN, *_RELEASES, *_PERSONS, _SOURCE_TYPE, *_TDM_FACTS, *_LICENSES, *_STATEMENTS, *_REMARKS)
)
_MAX_DEPTH = 64
_MAX_ELEMENTS = 200_000
# RDF takes up to half a millisecond for each element: a flood of them is a trap.
_MAX_STATEMENTS = 2_000


def read_xmp(
    packet: bytes, aliases: Mapping[str, str], limits: Limits = DEFAULT
) -> tuple[Claim, ...]:
    """All claims of one packet, sorted by kind and text.

    Never raises on any bytes: what cannot be read becomes an UNREADABLE opt-out, whose effect is
    REVIEW. An unknown data-mining value is an opt-out. `aliases`: `Catalogue.aliases`.
    """
    if len(packet) > limits.xmp_bytes:
        return (unreadable(f"{len(packet)} bytes; an XMP packet has at most {limits.xmp_bytes}"),)
    try:
        root = _parse(packet)
        astray = _has_stray_mark(root)
        flooded = _trim(root)
        said = [pair for graph in _graphs(root) for pair in _facts(graph)]
    except _UnreadableError as error:
        return (unreadable(str(error), packet),)
    claims = {claim for fact in said for claim in _claims(*fact, aliases, limits)}
    spoken = any(name == _MINING for name, _ in said)
    if astray or (not spoken and _PROHIBITED in packet.replace(b"\x00", b"").upper()):
        claims.add(unreadable("a DataMining mark stands where XMP has none", packet))
    if flooded:
        claims.add(unreadable(f"more than {_MAX_STATEMENTS} statements about rights", packet))
    return tuple(sorted(claims, key=lambda claim: (claim.kind, claim.raw, claim.note)))


def unreadable(why: str, packet: bytes = b"") -> Claim:
    """Something seen that could hold an opt-out and could not be read: REVIEW, never ALLOW."""
    raw = packet[:1000].decode("utf-8", "backslashreplace")
    return Claim(
        ClaimSource.EMBEDDED_XMP,
        ClaimKind.OPT_OUT,
        raw,
        None,
        ClaimStatus.UNREADABLE,
        PARSER,
        why,
    )


class _UnreadableError(Exception):
    """Why a packet could not be read; never leaves this file."""


def _parse(packet: bytes) -> Element:
    """The packet's root element. Trailing zero bytes are padding that some writers leave."""
    try:
        return _tree(packet)
    except _UnreadableError:
        stripped = packet.strip(b"\x00 \t\r\n")
        if stripped == packet:
            raise
        return _tree(stripped)


def _tree(packet: bytes) -> Element:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import iterparse

    root: Element | None = None
    depth = elements = 0
    try:
        # Depth and number are counted while reading: a deep tree, once built, is a trap itself.
        for event, element in iterparse(BytesIO(packet), ("start", "end"), forbid_dtd=True):
            root = element if root is None else root
            depth += 1 if event == "start" else -1
            elements += event == "start"
            if depth > _MAX_DEPTH or elements > _MAX_ELEMENTS:
                raise _UnreadableError(f"more than {_MAX_DEPTH} levels or {_MAX_ELEMENTS} elements")
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise _UnreadableError(f"no well-formed XML: {type(error).__name__}") from error
    if root is None:
        raise _UnreadableError("empty")
    return root


def _has_stray_mark(root: Element) -> bool:
    """Whether a DataMining mark stands where no RDF reader looks, or under another namespace."""
    graphs = list(root.iter(f"{{{_RDF}}}RDF"))
    seen = sum(_marks(child) for rdf in graphs for child in rdf)
    literals = [e for e in root.iter() if e.get(f"{{{_RDF}}}parseType") == "Literal"]
    inside = sum(_marks(child) for literal in literals for child in literal)
    return inside > 0 or _marks(root) > seen or any(_is_foreign(name) for name in _names(root))


def _names(root: Element) -> Iterator[str]:
    """Every element's and attribute's name as namespace + local name."""
    for element in root.iter():
        for name in (element.tag, *element.attrib):
            yield name.replace("{", "").replace("}", "")


def _is_mining(name: str) -> bool:
    return name.lower().endswith("datamining")


def _is_foreign(name: str) -> bool:
    """A mark under a misspelt namespace is still a mark."""
    return _is_mining(name) and name != _MINING


def _marks(element: Element) -> int:
    return sum(1 for name in _names(element) if _is_mining(name))


def _trim(root: Element) -> bool:
    """Cut away what holds no fact (editing histories reach megabytes); whether facts went too.

    Of a flood of facts only the DataMining marks stay. Raises when even those are too many.
    """
    flooded = False
    for rdf in list(root.iter(f"{{{_RDF}}}RDF")):
        _keep(rdf, _is_fact)
        if sum(1 for _ in _names(rdf)) > _MAX_STATEMENTS:
            flooded = True
            _keep(rdf, _is_mining)
        if sum(1 for _ in _names(rdf)) > _MAX_STATEMENTS:
            raise _UnreadableError(f"more than {_MAX_STATEMENTS} statements about data mining")
    return flooded


def _keep(rdf: Element, wanted: Callable[[str], bool]) -> None:
    rdf[:] = [part for part in rdf if any(map(wanted, _names(part)))]
    for description in rdf:
        description[:] = [part for part in description if any(map(wanted, _names(part)))]
        for name in list(description.attrib):
            plain = name.replace("{", "").replace("}", "")
            if not plain.startswith(_RDF) and not wanted(plain):
                del description.attrib[name]


def _is_fact(name: str) -> bool:
    return name in _FACTS or _is_mining(name)


def _graphs(root: Element) -> Iterator[Any]:
    """One RDF graph for each rdf:RDF element."""
    from rdflib import Graph
    from rdflib.exceptions import Error

    # rdflib would print a stranger's malformed URIs on the user's terminal.
    logging.getLogger("rdflib.term").setLevel(logging.ERROR)
    for rdf in root.iter(f"{{{_RDF}}}RDF"):
        graph = Graph()
        try:
            graph.parse(data=tostring(rdf, "unicode"), format="xml", publicID=_GROUND)
        except (Error, SAXException, ValueError, LookupError, AttributeError, TypeError) as error:
            raise _UnreadableError(f"no RDF: {type(error).__name__}") from error
        yield graph


def _facts(graph: Any) -> Iterator[tuple[str, str]]:
    """(property, value) of every statement that matters, containers opened."""
    for _, predicate, value in graph:
        name = str(predicate)
        if name in _FACTS or name == _MINING:
            texts = list(_texts(graph, value, depth=0))
            # An empty author says nothing; an empty DataMining is a mark with an unknown value.
            yield from ((name, text) for text in texts if text.strip() or name == _MINING)


def _texts(graph: Any, value: Any, depth: int) -> Iterator[str]:
    from rdflib import BNode

    if not isinstance(value, BNode):
        yield str(value).removeprefix(_GROUND)
        return
    found = False
    for name, inner in graph.predicate_objects(value):
        key = str(name).removeprefix(_RDF)
        if (key == "value" or key.startswith("_")) and depth < _MAX_DEPTH:
            found = True
            yield from _texts(graph, inner, depth + 1)
    if not found:
        yield ""


def _claims(name: str, value: str, aliases: Mapping[str, str], limits: Limits) -> Iterator[Claim]:
    """What one property's value states; a remark or a camera's source type may state nothing."""
    source = ClaimSource.EMBEDDED_XMP
    if name == _MINING:
        yield mining_claim(value, source, PARSER, _MINING, limits)
    elif name in _PLAIN:
        yield plain_claim(_PLAIN[name], value, source, parser=PARSER, limits=limits)
    elif name in _RELEASES:
        yield release_claim(_RELEASES[name], value, source, PARSER, limits)
    elif name in _PERSONS:
        yield persons_claim(value, source, PARSER, limits)
    elif name in _LICENSES:
        yield license_claim(value, source, aliases, parser=PARSER, limits=limits)
    elif name in _STATEMENTS:
        terms = _STATEMENTS[name]
        yield read_statement(value, source, aliases, terms=terms, note=name, limits=limits)
    elif name in _TDM_FACTS:
        reserves = name == _TDM_FACTS[0]
        said = (value if reserves else None, None if reserves else value)
        yield from reservation_claims(said[0], said[1], source, limits, note=name)
    else:
        found = (
            synthetic_claim(value, source, PARSER)
            if name == _SOURCE_TYPE
            else read_remark(value, source, note=name, limits=limits)
        )
        if found is not None:
            yield found
