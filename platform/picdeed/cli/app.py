"""Where do arguments become calls? One Typer application, one way to end with the right code."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from picdeed.cli.show import print_error, progress_bars
from picdeed.core.errors import IntegrityError, PicdeedError, UsageError
from picdeed.core.events import Progress

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
RIGHTS = "Rights"
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
class Call:
    """The options that stand behind every command."""

    as_json: bool
    registry: str | None
    blobs: str | None

    def open(self) -> Registry:
        """The registry that the user named, or the nearest `.picdeed/` upward."""
        from picdeed.registry.session import open_registry

        return open_registry(self.registry, Path(self.blobs) if self.blobs else None)

    def progress(self) -> AbstractContextManager[Progress]:
        """Bars for a person; silence where a script reads."""
        return progress_bars(quiet=self.as_json)


_COMMON: dict[str, tuple[Any, Any]] = {
    "as_json": (AsJson, False),
    "registry": (Where, None),
    "blobs": (BlobsAt, None),
    "yes": (Yes, False),
    "debug": (Debug, False),
}


def command(
    name: str | None = None,
    *,
    group: typer.Typer = app,
    panel: str | None = None,
    without: Collection[str] = (),
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as a command; its `call` gathers the common options.

    `without` names common options that this command does not have, or has in its own way.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        common = {key: value for key, value in _COMMON.items() if key not in without}

        @functools.wraps(function)
        def run(**given: Any) -> None:
            taken = {key: given.pop(key) for key in common}
            call = Call(taken["as_json"], taken.get("registry"), taken.get("blobs"))
            function(call=call, **given)

        # Typer reads the signature: ours, with the common options in place of `call`.
        hints = get_type_hints(function, include_extras=True)
        own = [
            parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[key])
            for key, parameter in inspect.signature(function).parameters.items()
            if key != "call"
        ]
        shared = [
            Parameter(key, Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for key, (kind, default) in common.items()
        ]
        run.__signature__ = Signature([*own, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in (*own, *shared)}
        del run.__wrapped__  # type: ignore[attr-defined]
        group.command(name, rich_help_panel=panel)(run)
        return function

    return register


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
