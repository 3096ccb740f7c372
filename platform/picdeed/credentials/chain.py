"""Which certificates does a manifest carry, and do they lead to a root that we know?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509

from picdeed.credentials.authority import issued

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SEQUENCE = b"\x30\x82"  # how every DER certificate of 256 to 65,535 bytes begins
_ATTEMPTS = 4_096
_DEPTH = 5


def certificates(store: bytes) -> tuple[x509.Certificate, ...]:
    """Every X.509 certificate that lies whole in a manifest store's bytes, in their order.

    The library tells names and dates but not the key usage, and COSE keeps certificates as they
    are, so they are found by their DER form. Whoever hides a second certificate with the same
    serial gains nothing: callers ask that all of them pass.
    """
    return tuple(_scan(store))


def leads_to(
    leaf: x509.Certificate, between: Iterable[x509.Certificate], roots: Iterable[x509.Certificate]
) -> bool:
    """Whether signatures lead from `leaf` over `between` to one of `roots`; dates do not count."""
    known, middle = tuple(roots), tuple(between)
    reached = [leaf]
    for _ in range(_DEPTH):
        if any(issued(each, root) for each in reached for root in known):
            return True
        reached = [above for above in middle for each in reached if issued(each, above)]
    return False


def roots(pems: Iterable[str]) -> tuple[x509.Certificate, ...]:
    """The certificates of several PEM texts. Raises ValueError on text that is no PEM."""
    return tuple(
        each for pem in pems if pem for each in x509.load_pem_x509_certificates(pem.encode())
    )


def _scan(store: bytes) -> Iterator[x509.Certificate]:
    at = store.find(_SEQUENCE)
    for _ in range(_ATTEMPTS):
        if at < 0:
            return
        size = 4 + int.from_bytes(store[at + 2 : at + 4], "big")
        # Inside the outer sequence stands the sequence of what is signed.
        if at + size <= len(store) and store[at + 4 : at + 5] == b"\x30":
            try:
                yield x509.load_der_x509_certificate(store[at : at + size])
            except ValueError:
                size = 1
        else:
            size = 1
        at = store.find(_SEQUENCE, at + size)
