"""What may be said aloud of a file's credentials? Never more than was checked, and calmly."""

from __future__ import annotations

from picdeed.credentials.trust import SignerTrust

NOTHING = "No credentials in the file. This says nothing about how the picture was made."
REMOTE = (
    "No credentials in the file. It names an address where some may lie; picdeed did not go there."
)
ALTERED = (
    "The file or its credentials were changed after signing. Do not use the statements inside."
)
DAMAGED = (
    "The file carries credentials that can no longer be read: they or the file were changed or "
    "damaged after signing."
)
NO_PICTURE = "The file cannot be read as a picture. Nothing can be said about it."
EMPTY = "The file is empty. Nothing can be said about it."
TOO_LARGE = "The file is larger than the {limit} bytes that picdeed reads. Nothing was checked."
_SHOWN = 120


def printable(text: str) -> str:
    """Foreign text as one short line: no control, bidirectional or other unprintable characters."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    plain = " ".join(plain.split())
    return plain if len(plain) <= _SHOWN else plain[: _SHOWN - 1] + "…"


def signed(
    trust: SignerTrust,
    signer: str,
    *,
    own: bool,
    list_name: str | None,
    claim: str,
    unclean: str | None,
) -> str:
    """The sentences for a file whose bytes are unchanged since they were signed.

    `signer` and `unclean` (the title of an earlier version whose record fails) are printable
    foreign text; `claim` is what the manifest states about the making, or nothing.
    """
    if unclean is not None:
        return (
            f"Signed by {signer} and unchanged, but the record of an earlier version ({unclean}) "
            "does not check out."
        )
    whose = "this registry's" if own else "a"
    first = {
        SignerTrust.TRUSTED: f"Signed by {signer} (list {list_name}); no independent time. "
        "The file is unchanged since signing.",
        SignerTrust.DEVELOPMENT: f"Signed with {whose} development certificate ({signer}). Do not "
        "rely on the identity. The file is unchanged since signing.",
        SignerTrust.EXPIRED: f"The certificate of {signer} has expired and no trusted time stamp "
        "proves that it was valid at signing. Content hash matches.",
        SignerTrust.REVOKED: f"The certificate of {signer} was revoked. Do not rely on the "
        "identity. The file is unchanged since signing.",
    }.get(
        trust,
        f"Unchanged since someone signed it. We do not know or trust the signer ({signer}, as "
        "written by them).",
    )
    return f"{first} It states: {claim}; that statement is the signer's." if claim else first
