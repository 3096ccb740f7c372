"""Where do arguments become calls? One Typer application, one way to end with the right code."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from picdeed.cli.show import print_error
from picdeed.core.errors import IntegrityError, PicdeedError, UsageError

if TYPE_CHECKING:
    from picdeed.registry.session import Registry

app = typer.Typer(
    name="picdeed",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Every picture gets its deed: origin, licence, use, descendants, credential.\n\n"
    "Exit codes: 0 done, 1 failed, 2 usage, 3 DENY, 4 REVIEW, 5 integrity, 6 partly done, "
    "130 interrupted.",
)

FLOW = "The flow"
LOOK = "Look"
KEEP = "Keep"

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")]
Where = Annotated[
    str | None,
    typer.Option("--registry", help="A registry's folder or URL.", envvar="PICDEED_REGISTRY"),
]
BlobsAt = Annotated[
    str | None,
    typer.Option("--blobs", help="Where blobs lie, with a database URL.", envvar="PICDEED_BLOBS"),
]
Yes = Annotated[bool, typer.Option("--yes", help="Answer yes to every question.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]


@dataclass(frozen=True, slots=True)
class Shown:
    """A result, how a person reads it, and the exit code it ends with."""

    command: str
    result: Any
    code: int = 0


def open_here(where: str | None, blobs: str | None = None) -> Registry:
    """The registry that the user named, or the nearest `.picdeed/` upward."""
    from picdeed.registry.session import open_registry

    return open_registry(where, Path(blobs) if blobs else None)


def main() -> None:
    """The console script. Nothing but SystemExit leaves it, unless `--debug` was given."""
    arguments = sys.argv[1:]
    as_json = "--json" in arguments
    debug = "--debug" in arguments
    try:
        code = app(args=arguments, prog_name="picdeed", standalone_mode=False)
    except PicdeedError as error:
        if debug:
            raise
        print_error(error, as_json=as_json)
        code = error.exit_code
    except typer.Exit as stop:
        code = stop.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print_error(PicdeedError("Interrupted; what was done so far is kept."), as_json=as_json)
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:
        if debug:
            raise
        known = _translate(error)
        print_error(known, as_json=as_json)
        code = known.exit_code
    sys.exit(code or 0)


def _translate(error: Exception) -> PicdeedError:
    """Errors of the libraries beneath, in the words of the contract."""
    # Typer brings its own copy of click, so its errors are known by what they can do.
    if hasattr(error, "format_message"):
        return UsageError(
            error.format_message(), hint="picdeed COMMAND --help shows what it takes."
        )
    if type(error).__module__.startswith("sqlalchemy"):
        return IntegrityError(
            f"The registry's rows could not be read: {_first_line(error)}",
            hint="picdeed audit names what is wrong; nothing was changed.",
        )
    if isinstance(error, OSError):
        name = error.filename if error.filename is not None else ""
        return PicdeedError(f"{error.strerror or error}: {name}".rstrip(": "))
    if isinstance(error, ModuleNotFoundError):
        return PicdeedError(
            f"The part that needs {error.name!r} is not installed.",
            hint="pip install 'picdeed[train,dashboard]'",
        )
    return PicdeedError(
        f"Something unforeseen failed: {type(error).__name__}: {_first_line(error)}",
        hint="Repeat the command with --debug to see where.",
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:300]


def existing(path: Path) -> Path:
    """A path that must be there; UsageError with its name otherwise."""
    if not os.path.lexists(path):
        raise UsageError(f"{path} does not exist.", hint="Check the path; nothing was changed.")
    return path
