"""Whose signatures count for what? Trust is a value that the caller hands in, never a global."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# Every certificate that picdeed makes for development carries this as its organisation. Anybody
# can write the same words, which is harmless: they only ever make a signature count for less.
DEVELOPMENT = "picdeed DEVELOPMENT"
OWN_LIST = "urn:picdeed:signers:development"


class SignerTrust(StrEnum):
    """What may be made of the signer. NONE: nothing was validly signed."""

    TRUSTED = "trusted"
    DEVELOPMENT = "development"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    REVOKED = "revoked"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class TrustList:
    """A named list of production roots, PEM one after the other."""

    name: str
    uri: str
    roots_pem: str


@dataclass(frozen=True, slots=True)
class Trust:
    """`development_roots`: PEM of this registry's own roots. `revoked`: serials, lower-case hex.

    Without anything, every intact signature is `untrusted`, or `development` when its issuer
    says so of itself.
    """

    development_roots: tuple[str, ...] = ()
    production: tuple[TrustList, ...] = ()
    revoked: frozenset[str] = frozenset()

    def anchors(self) -> Mapping[str, str]:
        """Trust list URI -> PEM of its roots, for the reader."""
        lists = {OWN_LIST: "\n".join(self.development_roots)} if self.development_roots else {}
        return lists | {each.uri: each.roots_pem for each in self.production}

    def list_name(self, uri: str | None) -> str | None:
        """The production list with this URI, or None: only lists named here ever count."""
        return next((each.name for each in self.production if each.uri == uri), None)
