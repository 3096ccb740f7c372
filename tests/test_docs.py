"""Do the documents name what exists, all of it, and nothing that does not?"""

from __future__ import annotations

import re
import subprocess
from datetime import date
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
REFERENCE = [ROOT / "README.md", ROOT / "docs" / "commands.md"]

# A repository tells nothing about the machine it was written on, or where packages come from.
MACHINES = re.compile(r"(?<![\w.~$}])/(?:home(?!/(?:me|you)/)|root|Users|work|mnt|workspace)/\w")
HOSTS = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs\.org|(?:deb|security)\.debian\.org"
)
ORIGINS = re.compile(
    r"co-authored-by:|generated (?:with|by) (?:an? )?(?:ai|assistant|language model)\b"
    r"|\bas an ai\b|\bai assistant\b|\bcoding assistant\b|\bchatbot\b",
    re.IGNORECASE,
)
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".lock",
    ".txt",
    ".js",
    ".css",
    ".html",
    ".mako",
    ".yml",
    ".json",
    "",
}
THIS = Path(__file__).resolve()


def kept_files() -> list[Path]:
    """What git holds or would hold; without git, everything outside hidden and build folders."""
    done = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 0 and done.stdout:
        files = [ROOT / name for name in done.stdout.split("\0") if name]
    else:
        hidden = {"build", "dist", "__pycache__"}
        files = [
            path
            for path in ROOT.rglob("*")
            if not any(p.startswith(".") or p in hidden for p in path.relative_to(ROOT).parts)
        ]
    return [path for path in files if path.is_file() and path.suffix in TEXT and path != THIS]


def commands() -> dict[str, object]:
    """Every command of the command line by its words: `ingest`, `models add`."""
    from typer.main import get_command

    import picdeed.cli

    def walk(command, words):
        inner = getattr(command, "commands", None)
        if inner is None:
            return {" ".join(words): command}
        return {k: v for name, c in inner.items() for k, v in walk(c, [*words, name]).items()}

    return walk(get_command(picdeed.cli.app), [])


def text_of(paths) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)


def test_every_command_is_documented():
    told = text_of(REFERENCE)
    assert not [name for name in commands() if not re.search(rf"\bpicdeed {name}\b", told)]


def test_every_setting_is_documented():
    from picdeed.core.settings import Settings

    told = text_of(REFERENCE)
    assert not [n for n in Settings.model_fields if f"PICDEED_{n.upper()}" not in told]


def code_in(text: str) -> str:
    """Fenced blocks and `inline code`: prose may say "picdeed gives" without meaning a command."""
    fenced = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
    return "\n".join(
        [*fenced, *re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))]
    )


def test_no_document_shows_a_command_that_does_not_exist():
    known = {name.split()[0] for name in commands()}
    shown = set(
        re.findall(r"(?:^|[\s/$])picdeed ([a-z][\w-]*)", code_in(text_of(DOCUMENTS)), re.MULTILINE)
    )
    assert shown
    assert not shown - known


def test_every_make_verb_that_is_shown_exists_and_helps():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    verbs = set(phony[1].split())
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert verbs == targets
    shown = set(re.findall(r"\bmake ([a-z]+)\b", code_in(text_of(DOCUMENTS))))
    assert {"demo", "test"} <= shown <= verbs
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert verbs - {"help"} <= set(re.findall(r"^make (\w+)", done.stdout, re.MULTILINE))


def test_readme_tells_how_to_point_pip_at_cpu_builds():
    assert "TORCH_INDEX" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_to_files_lead_somewhere(path):
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    inside = [t for t in targets if not re.match(r"[a-z]+:", t)]
    assert not [target for target in inside if not (path.parent / target).exists()]


def test_decisions_are_dated_and_in_order():
    text = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert titles
    days = [date.fromisoformat(title[:10]) for title in titles]
    assert all(re.match(r"\d{4}-\d\d-\d\d: \S", title) for title in titles)
    assert days == sorted(days), "newest last: a decision is appended, never rewritten"


def test_the_changelog_has_a_section_for_this_version():
    from picdeed import __version__

    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## ({re.escape(__version__)}\b|Unreleased)", text, re.MULTILINE)


def test_nothing_tells_where_or_how_it_was_written():
    found = []
    for path in kept_files():
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1):
            if any(rule.search(line) for rule in (MACHINES, HOSTS, ORIGINS)):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        "cd /home/jane/picdeed",
        "index at https://pypi.org/simple",
        "Co-Authored-By: somebody",
        "PATH=/root/bin",
    ],
)
def test_a_telltale_line_would_be_found(line):
    assert any(rule.search(line) for rule in (MACHINES, HOSTS, ORIGINS))


def test_only_pytorchs_cpu_index_is_named_where_packages_are_installed():
    files = [ROOT / "Makefile", ROOT / "pyproject.toml", ROOT / "requirements.lock"]
    files += [*(ROOT / "tools").glob("*.py"), ROOT / ".ci" / "run"]
    hosts = set(re.findall(r"https?://([\w.-]+)", text_of(files)))
    assert hosts <= {"download.pytorch.org"}
