"""What does the library's report of one manifest store amount to? Evidence in, a verdict out."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from picdeed.credentials import chain
from picdeed.credentials.authority import may_sign_claims
from picdeed.credentials.manifest import LINEAGE
from picdeed.credentials.trust import DEVELOPMENT, OWN_LIST, SignerTrust, Trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# The only failures that speak of the signer and not of the bytes. Whatever else fails, now or in
# a later version of the library, counts as altered.
_EXPIRED = frozenset({"signingCredential.expired", "claimSignature.outsideValidity"})
_REVOKED = frozenset({"signingCredential.ocsp.revoked"})
_SIGNER = (
    _EXPIRED | _REVOKED | frozenset({"signingCredential.untrusted", "signingCredential.invalid"})
)
_DIGITS = 64  # X.509 serials have at most 20 bytes
_SIGNATURE_HOLDS = "claimSignature.validated"
_CONTENT_HOLDS = frozenset(
    {
        "assertion.dataHash.match",
        "assertion.bmffHash.match",
        "assertion.boxesHash.match",
        "assertion.collectionHash.match",
    }
)


@dataclass(frozen=True, slots=True)
class Reading:
    """The library's report: the active manifest, its results, its signer, the store's bytes."""

    label: str
    manifest: Mapping[str, Any]
    results: Mapping[str, Any]
    state: str
    list_uri: str | None
    signer: str
    issuer: str
    serial: str
    store: bytes


@dataclass(frozen=True, slots=True)
class SignerVerdict:
    """`unclean` is the title of an ingredient whose own record fails, if there is one."""

    trust: SignerTrust
    own: bool
    unclean: str | None


def reading(reader: Any) -> Reading:
    """Everything that is asked of an open c2pa.Reader. Raises C2paError."""
    report = _parsed(reader.json())
    label = str(report.get("active_manifest"))
    manifest = (report.get("manifests") or {}).get(label) or {}
    store = io.BytesIO()
    if manifest:
        # The library answers with the whole store, put together from all the container's parts.
        reader.resource_to_stream(f"self#jumbf=/c2pa/{label}/c2pa.signature", store)
    signed_by = manifest.get("signature_info") or {}
    number = str(signed_by.get("cert_serial_number", ""))
    results = report.get("validation_results") or {}
    return Reading(
        label=label,
        manifest=manifest,
        results=results,
        state=str(report.get("validation_state")),
        list_uri=results.get("trustListUri"),
        signer=str(signed_by.get("common_name") or signed_by.get("issuer") or ""),
        issuer=str(signed_by.get("issuer") or ""),
        serial=f"{int(number):x}" if number.isdecimal() and len(number) <= _DIGITS else "",
        store=store.getvalue(),
    )


def failures(reading: Reading) -> tuple[str, ...]:
    """The failure codes of the active manifest."""
    return tuple(_codes(reading.results.get("activeManifest"), "failure"))


def is_intact(reading: Reading) -> bool:
    """Whether signature and content hash were both checked and hold, and nothing else failed."""
    holds = set(_codes(reading.results.get("activeManifest"), "success"))
    return (
        set(failures(reading)) <= _SIGNER
        and _SIGNATURE_HOLDS in holds
        and bool(holds & _CONTENT_HOLDS)
    )


def signer(reading: Reading, trust: Trust) -> SignerVerdict:
    """How far the signer of an intact file is to be trusted: post-checks the library leaves out."""
    failed = set(failures(reading))
    found = chain.certificates(reading.store)
    leaves = [each for each in found if f"{each.serial_number:x}" == reading.serial]
    fit = bool(leaves) and all(may_sign_claims(each) for each in leaves)
    expired = bool(failed & _EXPIRED)
    known = chain.roots(trust.development_roots)
    own = fit and (
        # Past its date the library no longer asks for the chain, so we do.
        bool(known) and all(chain.leads_to(each, found, known) for each in leaves)
        if expired
        else reading.list_uri == OWN_LIST
    )
    unclean = next(_unclean(reading), None)
    return SignerVerdict(_standing(reading, trust, fit=fit, own=own, unclean=unclean), own, unclean)


def lineage(reading: Reading) -> Mapping[str, Any] | None:
    """The data of the org.picdeed.lineage assertion, if the manifest has one."""
    data = _assertion(reading, LINEAGE)
    return data if isinstance(data, dict) else None


def claim(reading: Reading) -> str:
    """`made by SYSTEM with MODEL`, as far as the manifest says so."""
    made: Mapping[str, Any] = next(iter(reading.manifest.get("claim_generator_info") or ()), {})
    disclosed = _assertion(reading, "c2pa.ai-disclosure")
    model = disclosed.get("modelName") if isinstance(disclosed, dict) else None
    maker = f"made by {made['name']}" if made.get("name") else ""
    return f"{maker} with {model}" if maker and model else maker


def _standing(
    reading: Reading, trust: Trust, *, fit: bool, own: bool, unclean: str | None
) -> SignerTrust:
    failed = set(failures(reading))
    if failed & _REVOKED or reading.serial in trust.revoked:
        return SignerTrust.REVOKED
    if failed & _EXPIRED:
        return SignerTrust.EXPIRED
    if not fit or unclean is not None or "signingCredential.invalid" in failed:
        return SignerTrust.UNTRUSTED
    # Before the lists: a development root that somebody put on a production list stays what it is.
    if own:
        return SignerTrust.DEVELOPMENT
    if reading.issuer == DEVELOPMENT:
        # Anyone can write that name into a certificate. A registry knows its own roots, so to it
        # another's are a stranger's; without a registry the name is all there is to say.
        return SignerTrust.UNTRUSTED if trust.development_roots else SignerTrust.DEVELOPMENT
    listed = trust.list_name(reading.list_uri) is not None
    return SignerTrust.TRUSTED if listed and reading.state == "Trusted" else SignerTrust.UNTRUSTED


def _unclean(reading: Reading) -> Iterator[str]:
    """Titles of ingredients with any failure of their own, then of failed deltas."""
    for ingredient in reading.manifest.get("ingredients") or ():
        results = ingredient.get("validation_results") or {}
        statuses = ingredient.get("validation_status") or ()
        if (
            statuses
            or any(_codes(results.get("activeManifest"), "failure"))
            or any(
                any(_codes(each.get("validationDeltas"), "failure"))
                for each in results.get("ingredientDeltas") or ()
            )
        ):
            yield str(ingredient.get("title") or "without a title")
    for delta in reading.results.get("ingredientDeltas") or ():
        if any(_codes(delta.get("validationDeltas"), "failure")):
            yield str(delta.get("ingredientAssertionURI") or "without a title")


def _parsed(report: str) -> Mapping[str, Any]:
    """The report as a mapping, an empty one (so nothing holds) when it is none."""
    try:
        found = json.loads(report)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _codes(results: Any, kind: str) -> Iterator[str]:
    return (str(each.get("code")) for each in (results or {}).get(kind) or ())


def _assertion(reading: Reading, label: str) -> Any:
    return next(
        (
            each.get("data")
            for each in reading.manifest.get("assertions") or ()
            if each.get("label") == label
        ),
        None,
    )
