"""What does a public web server answer? One careful request, never into a private network.

Only https, only global addresses, checked after resolving and then connected to themselves, so
that a name cannot point elsewhere between the check and the connection. Every redirect passes
the same checks. Time and size are limited as a whole.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import queue
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote, urlsplit

from picdeed.core.ids import canonical_json, sha256
from picdeed.sources.responses import BODY_BYTES, MOST_HOPS, Recorded, redirect_of
from picdeed.sources.unpack import UnpackError, unpacked

USER_AGENT = "picdeed"
HTTPS = 443
_HEAD_END = b"\r\n\r\n"
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_CLOSED = tuple(
    map(ipaddress.ip_network, ("64:ff9b:1::/48", "fec0::/10", "::/96", "192.88.99.0/24"))
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[str, int, float], socket.socket]


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """For one URL with all its redirects. Bytes are those on the wire, head included."""

    seconds: float = 20.0
    bytes: int = 4 << 20
    head_bytes: int = 64 << 10
    hops: int = MOST_HOPS


DEFAULT = FetchLimits()


class _RefusedError(Exception):
    """Why a URL was not asked, or why its answer does not count; never leaves this file."""


def is_public(address: str) -> bool:
    """Whether an IP address is one that everybody on the internet means the same host by."""
    try:
        found: Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        # IPv4 in disguise is judged as what it is, in every way to write it.
        inner = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
        if found in _NAT64:
            inner.append(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF))
        hidden = [each for each in inner if each is not None]
        if hidden:
            return all(is_public(str(each)) for each in hidden)
    if any(found.version == net.version and found in net for net in _CLOSED):
        return False
    return found.is_global and not (
        found.is_multicast or found.is_reserved or found.is_unspecified or found.is_link_local
    )


def fetch(
    url: str,
    limits: FetchLimits = DEFAULT,
    *,
    ports: frozenset[int] = frozenset((HTTPS,)),
    resolve: Resolve | None = None,
    connect: Connect | None = None,
    context: ssl.SSLContext | None = None,
) -> tuple[Recorded, ...]:
    """Ask `url` and follow its redirects; every answer on the way, the last one last.

    Raises nothing about the URL or the server: an answer with status 0 says in `problem` what
    was refused or failed. `resolve` gives addresses for a name and port; whatever it gives is
    checked. `connect` opens a connection to one checked address.
    """
    deadline = time.monotonic() + limits.seconds
    doors = _Doors(ports, resolve or _resolve, connect or _connect, context or _context())
    answers: list[Recorded] = []
    seen: set[str] = set()
    left = limits.bytes
    while True:
        if url in seen or len(answers) > limits.hops:
            answers.append(_failed(url, "redirects lead in a circle or too far"))
            return tuple(answers)
        seen.add(url)
        try:
            answer, used = _ask(url, left, limits.head_bytes, deadline, doors)
        except _RefusedError as refusal:
            answer, used = _failed(url, str(refusal)), 0
        except (OSError, http.client.HTTPException, ValueError) as error:
            answer, used = _failed(url, f"{type(error).__name__}: {_line(error)}"), 0
        answers.append(answer)
        left -= used
        target = redirect_of(answer)
        if target is None:
            return tuple(answers)
        url = target


@dataclass(frozen=True, slots=True)
class _Doors:
    ports: frozenset[int]
    resolve: Resolve
    connect: Connect
    context: ssl.SSLContext


def _ask(
    url: str, most: int, most_head: int, deadline: float, doors: _Doors
) -> tuple[Recorded, int]:
    host, port, target = _taken_apart(url, doors.ports)
    address = _checked(host, port, deadline, doors.resolve)
    shown = f"[{host}]" if ":" in host else host
    shown += "" if port == HTTPS else f":{port}"
    request = (
        f"GET {target} HTTP/1.1\r\nHost: {shown}\r\nUser-Agent: {USER_AGENT}\r\n"
        "Accept: */*\r\nAccept-Encoding: gzip, identity\r\nConnection: close\r\n\r\n"
    )
    plain = doors.connect(address, port, _left(deadline))
    with plain, doors.context.wrap_socket(plain, server_hostname=host) as secure:
        secure.settimeout(_left(deadline))
        secure.sendall(request.encode("ascii"))
        raw = _received(secure, most, most_head, deadline)
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return _answer(url, raw, at), len(raw)


def _taken_apart(url: str, ports: frozenset[int]) -> tuple[str, int, str]:
    """(host, port, request target) of a URL that may be asked."""
    if _CONTROL.search(url):
        raise _RefusedError("a URL with blanks or control characters")
    parts = urlsplit(url)
    if parts.scheme.lower() != "https":
        raise _RefusedError("only https is asked")
    if "@" in parts.netloc:
        raise _RefusedError("a URL with a user name or password")
    port = parts.port if parts.port is not None else HTTPS
    if port not in ports:
        raise _RefusedError(f"port {port} is not asked")
    host = (parts.hostname or "").rstrip(".")
    try:
        host = host.encode("ascii").decode()
    except UnicodeEncodeError:
        host = host.encode("idna").decode()
    if not host or "%" in host:
        raise _RefusedError("a URL without a host")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    return host, port, f"{path}?{query}" if query else path


def _checked(host: str, port: int, deadline: float, resolve: Resolve) -> str:
    """The address to connect to. One private address among several refuses them all."""
    box: queue.Queue[Sequence[str] | Exception] = queue.Queue()

    def look_up() -> None:
        try:
            box.put(resolve(host, port))
        except (OSError, ValueError) as error:
            box.put(error)

    # The system's resolver knows no deadline; a thread that nobody waits for does no harm.
    threading.Thread(target=look_up, daemon=True).start()
    try:
        found = box.get(timeout=_left(deadline))
    except queue.Empty:
        raise _RefusedError("the name took too long to resolve") from None
    if isinstance(found, Exception):
        raise _RefusedError(f"the name does not resolve: {_line(found)}")
    if not found:
        raise _RefusedError("the name has no address")
    for address in found:
        if not is_public(address):
            raise _RefusedError(f"{address} is no public address")
    return found[0]


def _received(secure: ssl.SSLSocket, most: int, most_head: int, deadline: float) -> bytes:
    """The raw answer, read until it is whole or the server closes."""
    raw = bytearray()
    whole: int | None = None
    while whole is None or len(raw) < whole:
        secure.settimeout(_left(deadline))
        part = secure.recv(64 << 10)
        if not part:
            break
        raw += part
        if len(raw) > most:
            raise _RefusedError(f"an answer of more than {most} bytes")
        end = raw.find(_HEAD_END)
        if end < 0 and len(raw) > most_head:
            raise _RefusedError(f"a head of more than {most_head} bytes")
        if end >= 0 and whole is None:
            whole = _announced(bytes(raw[:end]), end + len(_HEAD_END))
        if whole is None and raw.endswith(b"\r\n0\r\n\r\n"):
            break
    return bytes(raw)


def _announced(head: bytes, body_at: int) -> int | None:
    """Where the answer ends if its head says so."""
    lines = head.lower().split(b"\r\n")
    if any(line.startswith(b"transfer-encoding:") for line in lines):
        return None
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        if name.strip() == b"content-length" and value.strip().isdigit():
            return body_at + int(value)
    return None


def _answer(url: str, raw: bytes, at: str) -> Recorded:
    read = http.client.HTTPResponse(cast("Any", _Bytes(raw)), method="GET")
    read.begin()
    headers = tuple(read.getheaders())
    body_at = raw.find(_HEAD_END) + len(_HEAD_END)
    found = Recorded(url, read.status, headers, None, at, "")
    body: bytes | None = raw[body_at:]
    length = found.header("content-length")
    if length.isdigit() and len(body or b"") < int(length):
        raise _RefusedError("the answer breaks off")
    problem = ""
    if found.header("content-type").lower().startswith("image/"):
        body = None
    else:
        try:
            body = unpacked(
                raw[body_at:],
                found.header("transfer-encoding"),
                found.header("content-encoding"),
                BODY_BYTES,
            )
        except UnpackError as error:
            body, problem = None, str(error)
    return Recorded(url, read.status, headers, body, at, sha256(raw), problem)


class _Bytes:
    """As much of a socket as http.client asks for."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


def _failed(url: str, why: str) -> Recorded:
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    said = canonical_json({"url": url.encode("utf-8", "replace").decode(), "at": at, "why": why})
    return Recorded(url, 0, (), None, at, sha256(said), why[:500])


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise _RefusedError("it took too long")
    return left


def _resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _connect(address: str, port: int, seconds: float) -> socket.socket:
    return socket.create_connection((address, port), timeout=seconds)


def _context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200]
