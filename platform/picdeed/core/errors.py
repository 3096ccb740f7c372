"""Which errors can reach a user, and with which exit code?

PicdeedError                    1   something failed; the message says what stayed unchanged
├── UsageError                  2   the request itself cannot be carried out as written
│   ├── UnknownSubject          2   an id, name or prefix that the registry does not hold
│   ├── NotARegistry            2   no registry where one was expected
│   └── Unconfirmed             2   a question that nobody is there to answer
├── Denied                      3   the rights say DENY
├── NeedsReview                 4   the rights say REVIEW
├── IntegrityError              5   bytes, rows or signatures are not what they were
├── UnreadablePicture           1   hostile, broken or unsupported picture bytes
├── SourceError                 1   a source of pictures or metadata that cannot be read
├── RunFailed                   1   a fine-tune that ended without an adapter
├── TimeOver                    1   work that was given a time, and goes on when asked again
├── BusyError                   1   another process holds what this one needs
└── MissingPart                 1   an extra, program or download that is not installed
"""

from __future__ import annotations


class PicdeedError(Exception):
    """An error meant for the user: subject, what stayed unchanged, the next command.

    `hint` is the next thing to try, one sentence. `decision`, `revocation` and `run` are whole
    ids of registry rows that explain the error; the command line prints them in its document.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        decision: str | None = None,
        revocation: str | None = None,
        run: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.decision = decision
        self.revocation = revocation
        self.run = run


class UsageError(PicdeedError):
    """The request cannot be carried out as written."""

    exit_code = 2


class UnknownSubject(UsageError):
    """An id, name or prefix that the registry does not hold, or that fits several."""


class NotARegistry(UsageError):
    """No registry where one was expected."""


class Unconfirmed(UsageError):
    """A confirmation is needed and there is no terminal to ask at."""


class Denied(PicdeedError):
    """The rights say DENY."""

    exit_code = 3


class NeedsReview(PicdeedError):
    """The rights say REVIEW: a person must decide."""

    exit_code = 4


class IntegrityError(PicdeedError):
    """Bytes, rows or signatures are not what they were when they were recorded."""

    exit_code = 5


class UnreadablePicture(PicdeedError):
    """Picture bytes that were refused. `reason` is a short machine word, see imaging.decode."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class SourceError(PicdeedError):
    """A source of pictures or metadata that cannot be read."""


class RunFailed(PicdeedError):
    """A fine-tune that ended without an adapter."""


class TimeOver(PicdeedError):
    """The time that the work was given is over; asked again it goes on from what is stored."""

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="Run the same command again: it goes on from there.")


class BusyError(PicdeedError):
    """Another process holds what this one needs."""


class MissingPart(PicdeedError):
    """An optional extra, an outside program or a download that is not there."""
