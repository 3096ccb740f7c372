"""How does an audit look as a file? One content, as HTML for people or JSON for programs."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import UsageError
from picdeed.registry import ledger
from picdeed.registry.session import utc_now

if TYPE_CHECKING:
    from picdeed.flow.audit import Audited
    from picdeed.registry.session import Registry

LAST_EVENTS = 200
LIMITS = (
    "This audit finds edits by anyone without the signing key. Rolling back the database and its "
    "tree heads together shows only against a head that is kept elsewhere (picdeed audit --head)."
)
_STYLE = """
body{font:16px/1.5 Georgia,serif;max-width:60rem;margin:3rem auto;padding:0 1rem;color:#1b1b1b}
h1{font-size:1.8rem;margin:0}h2{margin-top:2.2rem;font-size:1.15rem}
table{border-collapse:collapse;width:100%;font:13px/1.45 ui-monospace,monospace}
th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid #ddd;vertical-align:top;
overflow-wrap:anywhere}
.ok{color:#17692f}.bad{color:#a3231a}.note{color:#555}
code{background:#f2efe8;padding:.1rem .35rem}
"""


def write_audit(registry: Registry, audited: Audited, path: Path) -> None:
    """Write the report; the suffix of `path` chooses .html or .json. UsageError on others."""
    content = content_of(registry, audited)
    if path.suffix == ".json":
        text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    elif path.suffix in (".html", ".htm"):
        text = as_html(content)
    else:
        raise UsageError(
            f"{path.name}: a report is written as .html or .json; none was written.",
            hint="picdeed audit --report audit.html",
        )
    path.write_text(text, encoding="utf-8")


def content_of(registry: Registry, audited: Audited) -> dict[str, Any]:
    """Everything that a report shows, as JSON values."""
    with registry.read() as session:
        sequence, digest = ledger.last_event(session)
        after = max(0, sequence - LAST_EVENTS)
        events = [
            {"seq": row.seq, "at": row.at, "event": row.kind, "hash": row.hash}
            for row in ledger.events(session, after=after)
        ]
    return {
        "schema": "picdeed.report/1",
        "registry": str(registry.root),
        "made_at": utc_now(),
        "ok": audited.ok,
        "subject": audited.subject,
        "head": {"sequence": sequence, "hash": digest},
        "checked": dict(audited.checked),
        "problems": [dataclasses.asdict(problem) for problem in audited.problems],
        "events": events,
        "command": f"picdeed audit --registry {registry.root} --json",
        "limits": LIMITS,
    }


def as_html(content: dict[str, Any]) -> str:
    """One self-contained page: no script, nothing fetched, every value escaped."""
    state = "Everything that was checked holds." if content["ok"] else "Not everything holds."
    mark = "ok" if content["ok"] else "bad"
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"<title>picdeed audit</title><style>{_STYLE}</style></head><body>"
        f"<h1>Audit</h1><p class='note'>{_text(content['registry'])}, {_text(content['made_at'])}"
        f"</p><p class='{mark}'><strong>{state}</strong></p>"
        f"<p>Check it yourself: <code>{_text(content['command'])}</code></p>"
        f"<p class='note'>{_text(content['limits'])}</p>"
        f"<h2>Checked</h2>{_table(('what', 'how many'), content['checked'].items())}"
        f"<h2>Problems</h2>{_problems(content['problems'])}"
        f"<h2>Ledger, the last {len(content['events'])} of "
        f"{content['head']['sequence']} events</h2>"
        + _table(
            ("event", "when", "what", "hash"),
            ((e["seq"], e["at"], e["event"], e["hash"]) for e in reversed(content["events"])),
        )
        + "</body></html>\n"
    )


def _problems(problems: Sequence[dict[str, str]]) -> str:
    if not problems:
        return "<p class='note'>None.</p>"
    return _table(
        ("subject", "kind", "message"), ((p["subject"], p["kind"], p["message"]) for p in problems)
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th>{_text(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: Any) -> str:
    return html.escape(str(value), quote=True)
