"""How does a result reach a person or a script? One document on stdout, the rest on stderr."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from picdeed.core.errors import PicdeedError
from picdeed.core.events import Progress, silent


def plain(value: Any) -> Any:
    """A result as JSON knows it: dataclasses become objects, paths absolute strings."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value


def print_document(command: str, result: Any) -> None:
    """Exactly one JSON document on standard output, its `schema` key first."""
    body = plain(result)
    body.pop("schema", None)
    text = json.dumps({"schema": f"picdeed.{command}/1", **body}, ensure_ascii=False, indent=2)
    # A file name may hold bytes that are no text; they were escaped where they were read, and
    # whatever still slips through must not break the document.
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()


def print_error(error: PicdeedError, *, as_json: bool) -> None:
    """The error as the contract's document, or as two lines for a person."""
    if as_json:
        print_document(
            "error",
            {
                "error": type(error).__name__,
                "message": error.message,
                "hint": error.hint,
                "decision": error.decision,
                "revocation": error.revocation,
                "run": error.run,
            },
        )
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    console.print(Text(error.message, style="bold red"))
    if error.hint:
        console.print(Text(error.hint, style="dim"))


def say(text: str = "", style: str | None = None) -> None:
    """One line for a person, on standard output, never read as markup."""
    from rich.console import Console
    from rich.text import Text

    Console().print(Text(text, style=style or ""))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table for a person; verdict and state words get their colour."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(str(cell), style=_STYLES.get(str(cell), "")) for cell in row))
    Console().print(grid)


def sheet(rows: Sequence[tuple[str, str]]) -> None:
    """Labels and what they say, one below the other; long texts keep to their own column."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in rows:
        grid.add_row(Text(f"  {label}", style="dim"), Text(text))
    Console().print(grid)


def reasons(rows: Sequence[Mapping[str, Any]]) -> None:
    """Why, strictest first: two lines a rule, so that the clause has the whole width."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console()
    for row in rows:
        effect = str(row["effect"])
        of = f"{row['pictures']} picture{'s' * (row['pictures'] != 1)}" if row["pictures"] else ""
        head = Text(f"{effect:<7}", style=_STYLES.get(effect, ""))
        head.append(f" {row['use']}", style="bold")
        about = row["subject"] if row["subject"] != "pictures" else ""
        words = (about, of, row["license"], row["certainty"])
        head.append("  " + "  ".join(str(word) for word in words if word))
        console.print(head, soft_wrap=False)
        console.print(Padding(Text(str(row["clause"]), style="dim"), (0, 0, 0, 8)))


_STYLES = {
    "ALLOW": "green",
    "DUTIES": "green",
    "REVIEW": "yellow",
    "DENY": "red",
    "good": "green",
    "intact": "green",
    "suspended": "yellow",
    "altered": "red",
    "untrusted": "red",
    "development": "yellow",
    "stopped": "red",
}


@contextmanager
def progress_bars(*, quiet: bool) -> Iterator[Progress]:
    """Bars on standard error while a stage works; silence when nobody looks at a terminal."""
    if quiet or not sys.stderr.isatty():
        yield silent if quiet else _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description:<28}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total or None)
            bars.update(tasks[what], completed=done, total=total or None)

        yield report


def _lines() -> Progress:
    """Where there is no terminal: one line per stage and per tenth, on standard error."""
    seen: dict[str, int] = {}

    def report(what: str, done: int, total: int) -> None:
        tenth = 10 * done // total if total else 0
        if seen.get(what) != tenth:
            seen[what] = tenth
            print(f"{what}: {done}/{total or '?'}", file=sys.stderr, flush=True)

    return report
