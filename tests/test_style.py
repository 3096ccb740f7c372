"""Does every file stay short, say which question it answers, and do nothing when imported?"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINES = 400


def python_files(*folders: str) -> list[Path]:
    return [
        file
        for folder in folders
        for file in sorted((ROOT / folder).rglob("*.py"))
        if "__pycache__" not in file.parts
    ]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def test_no_file_is_longer_than_anyone_reads():
    folders = ("platform", "dashboard", "migrations", "tests", "tools", "benchmarks")
    files = python_files(*folders)
    files += [p for f in ("*.js", "*.css") for p in (ROOT / "dashboard").rglob(f)]
    lengths = {p.relative_to(ROOT).as_posix(): len(p.read_text().splitlines()) for p in files}
    assert not {name: lines for name, lines in lengths.items() if lines > LINES}


def test_every_module_opens_by_saying_which_question_it_answers():
    missing = [
        path.relative_to(ROOT).as_posix()
        for path in python_files("platform")
        if not ast.get_docstring(parse(path)) and path.read_text().strip()
    ]
    assert not missing


WORKING = {"open", "read_text", "read_bytes", "load", "loads", "urlopen", "connect", "run", "Popen",
           "mkdir", "print", "create_engine", "getenv"}  # fmt: skip


def works_at_import(tree: ast.Module) -> list[int]:
    """Lines of top-level statements that do more than define: loops, `with`, reading, printing."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.For | ast.While | ast.With | ast.AsyncFor | ast.AsyncWith):
            found.append(node.lineno)
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.Expr):
            continue
        for part in ast.walk(node):
            if isinstance(part, ast.Lambda):
                break
            if isinstance(part, ast.Call):
                func = part.func
                name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
                if name in WORKING:
                    found.append(part.lineno)
    return found


def test_importing_a_module_does_no_work():
    assert works_at_import(ast.parse("import x\nRULES = x.load(open('rules'))"))
    assert works_at_import(ast.parse("for n in (1, 2):\n    pass"))
    found = {
        path.relative_to(ROOT).as_posix(): lines
        for path in python_files("platform")
        if path.name != "__main__.py" and (lines := works_at_import(parse(path)))
    }
    assert not found


def test_no_except_swallows_everything_in_silence():
    """`except Exception` only where it is answered: a bare `pass` or `continue` hides the error."""
    found = []
    for path in python_files("platform", "dashboard"):
        for node in ast.walk(parse(path)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            broad = node.type is None or getattr(node.type, "id", "") in {
                "Exception",
                "BaseException",
            }
            silent = all(isinstance(s, ast.Pass | ast.Continue) for s in node.body)
            if broad and silent:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not found


def test_classes_are_named_for_what_they_are():
    banned = re.compile(r"(Manager|Helper|Util|Utils|Base)$")
    found = []
    for path in python_files("platform"):
        found += [
            f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
            for node in ast.walk(parse(path))
            if isinstance(node, ast.ClassDef) and banned.search(node.name) and node.name != "Base"
        ]
    assert not found
