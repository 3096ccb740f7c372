"""Does the fetcher ask what it may, and never anything inside a private network?

The name resolves to a public address by injection and the connection goes to a TLS server of our
own: every check of the address runs as it does outside.
"""

from __future__ import annotations

import datetime as dt
import gzip
import socket
import ssl
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from picdeed.sources.fetch import FetchLimits, fetch, is_public

HOST, PUBLIC = "pictures.example", "93.184.215.14"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Robots-Tag: noai\r\n\r\nhi"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


class Server:
    """Answers each path with the bytes given for it, in pieces with pauses if asked for."""

    def __init__(self, certificate):
        self.answers, self.seen, self.addresses = {}, [], []
        self.pause = 0.0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(plain,), daemon=True).start()

    def _answer(self, plain):
        try:
            with self._context.wrap_socket(plain, server_side=True) as secure:
                request = secure.recv(65536)
                self.seen.append(request.decode())
                answer = self.answers[request.split()[1].decode()]
                step = 1 if self.pause else len(answer) or 1
                for at in range(0, len(answer), step):
                    secure.sendall(answer[at : at + step])
                    time.sleep(self.pause)
        except (OSError, KeyError):
            plain.close()

    def connect(self, address, port, seconds):
        self.addresses.append((address, port))
        return socket.create_connection(("127.0.0.1", self.port), seconds)

    def close(self):
        self._listening.close()


@pytest.fixture
def server(certificate):
    server = Server(certificate)
    yield server
    server.close()


@pytest.fixture
def ask(server, certificate):
    def ask(url, resolved=(PUBLIC,), trusted=True, **limits):
        context = ssl.create_default_context(cafile=str(certificate) if trusted else None)
        return fetch(
            url,
            FetchLimits(**limits),
            resolve=lambda *_: list(resolved),
            connect=server.connect,
            context=context,
        )

    return ask


def go(to):
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


def test_an_answer_with_its_headers(server, ask):
    server.answers["/a.jpg?x=1"] = OK
    (answer,) = ask(f"https://{HOST}/a.jpg?x=1")
    assert (answer.status, answer.body, answer.header("x-robots-tag")) == (200, b"hi", "noai")
    assert len(answer.sha256) == 64
    assert server.addresses == [(PUBLIC, 443)]  # the address that was checked, not the name
    assert "User-Agent: picdeed" in server.seen[0]
    assert f"Host: {HOST}\r\n" in server.seen[0]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"hi", mtime=0),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nhi",
    ],
)
def test_bodies(server, ask, answer):
    server.answers["/"] = answer
    assert ask(f"https://{HOST}/")[-1].body == b"hi"


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}/",
        f"ftp://{HOST}/",
        "file:///etc/passwd",
        f"https://user:word@{HOST}/",
        f"https://{HOST}:8443/",
        f"https://{HOST}:22/",
        f"https://{HOST}/a b",
        f"https://{HOST}/\r\nX: y",
        "https:///",
        f"https://{HOST}:99999/",
        "https://[::1/",
        "",
    ],
)
def test_urls_that_are_not_asked(server, ask, url):
    (answer,) = ask(url)
    assert answer.status == 0
    assert answer.problem
    assert server.addresses == []


PRIVATE = [
    "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "192.0.2.1",  # noqa: S104
    "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1",
    "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1",
    "2001:0:7f00:1::80ff:fffe", "2001:db8::1", "100::1", "nonsense", "",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_connected_to(server, ask, address):
    assert not is_public(address)
    for resolved in ([address], [PUBLIC, address]):
        (answer,) = ask(f"https://{HOST}/", resolved=resolved)
        assert "no public address" in answer.problem
    assert server.addresses == []


@pytest.mark.parametrize(
    "address", [PUBLIC, "1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_public_addresses(address):
    assert is_public(address)


def test_redirects_pass_the_same_checks(server, ask):
    server.answers |= {
        "/a": go("/b"),
        "/b": OK,
        "/in": go("http://127.0.0.1/x"),
        "/up": go("https://[::1]:443/"),
    }
    assert [answer.status for answer in ask(f"https://{HOST}/a")] == [302, 200]
    assert [answer.problem for answer in ask(f"https://{HOST}/in")][1] == "only https is asked"
    assert [answer.status for answer in ask(f"https://{HOST}/in")] == [302, 0]


def test_a_redirect_to_a_private_name(server, certificate):
    server.answers["/"] = go("https://inside.example/")
    found = fetch(
        f"https://{HOST}/",
        resolve=lambda host, _: [PUBLIC if host == HOST else "10.0.0.5"],
        connect=server.connect,
        context=ssl.create_default_context(cafile=str(certificate)),
    )
    assert "10.0.0.5 is no public address" in found[-1].problem
    assert len(server.addresses) == 1


def test_circles_and_long_ways(server, ask):
    server.answers |= {"/a": go("/b"), "/b": go("/a")}
    server.answers |= {f"/{n}": go(f"/{n + 1}") for n in range(20)}
    assert "circle" in ask(f"https://{HOST}/a")[-1].problem
    long = ask(f"https://{HOST}/0")
    assert "too far" in long[-1].problem
    assert len(long) == 7


def test_a_certificate_that_nobody_vouches_for(ask):
    (answer,) = ask(f"https://{HOST}/", trusted=False)
    assert "CertVerif" in answer.problem or "CERTIFICATE" in answer.problem


def test_a_certificate_for_another_name(ask):
    (answer,) = ask("https://other.example/")
    assert "SSL" in answer.problem


@pytest.mark.parametrize(
    ("answer", "limits", "why"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(9000), {"bytes": 4000}, "more than 4000"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"a" * 9000, {"head_bytes": 4000}, "a head of more"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", {}, "breaks off"),
        (b"SSH-2.0-x\r\n\r\n", {}, "BadStatusLine"),
        (b"", {}, "RemoteDisconnected"),
    ],
)
def test_answers_that_do_not_count(server, ask, answer, limits, why):
    server.answers["/"] = answer
    assert why in ask(f"https://{HOST}/", **limits)[-1].problem


def test_a_body_that_unpacks_to_too_much_is_not_kept(server, ask):
    bomb = gzip.compress(bytes(50 << 20))
    server.answers["/"] = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + bomb
    (answer,) = ask(f"https://{HOST}/")
    assert (answer.status, answer.body) == (200, None)
    assert "more than" in answer.problem


def test_a_server_that_drips_is_left(server, ask):
    server.answers["/"], server.pause = OK, 0.1
    before = time.monotonic()
    (answer,) = ask(f"https://{HOST}/", seconds=0.6)
    assert answer.status == 0
    assert time.monotonic() - before < 3


def test_a_name_that_never_resolves(server):
    found = fetch(
        f"https://{HOST}/",
        FetchLimits(seconds=0.3),
        resolve=lambda *_: time.sleep(5) or [PUBLIC],
        connect=server.connect,
    )
    assert "too long" in found[0].problem


def test_a_name_without_an_address(ask):
    assert "no address" in ask(f"https://{HOST}/", resolved=())[0].problem
