"""Does a download take one commit's weights and papers, no code, and say why when it cannot?

A server on this machine answers as the hub does (its API of models and its files); the hub itself
is not asked.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from picdeed.core.errors import SourceError, UsageError
from picdeed.core.ids import sha256
from picdeed.sources import hub
from picdeed.sources.hub import download

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "model_index.json": b"{}",
    "deed.json": b"{}",
    "README.md": b"---\nlicense: mit\n---\n",
    "LICENSE.md": b"MIT License\n",
    "NOTICE": b"by somebody\n",
    "unet/config.json": b"{}",
    "unet/diffusion_pytorch_model.safetensors": b"weights",
    "unet/diffusion_pytorch_model.fp16.safetensors": b"half",
    "unet/diffusion_pytorch_model.bin": b"pickle",
    "unet/modeling.py": b"import os",
    "tokenizer/merges.txt": b"a b\n",
    "text_encoder_2/model.safetensors": b"more words",
    "image_encoder/model.safetensors": b"another",
    "all_in_one.safetensors": b"another",
    "samples/cat.png": b"picture",
}
WANTED = {
    "model_index.json", "deed.json", "README.md", "LICENSE.md", "NOTICE", "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors", "tokenizer/merges.txt",
    "text_encoder_2/model.safetensors",
}  # fmt: skip


class Server(ThreadingHTTPServer):
    commit: str = COMMIT
    asked: list[str]


class Answers(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def log_message(self, *args: object) -> None:
        pass

    def _answer(self, *, body: bool) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/org/base"):
            if "/tree/" in path:
                rows = [
                    {"type": "file", "path": name, "size": len(data), "oid": sha256(data)[:40]}
                    for name, data in FILES.items()
                ]
                self._send(json.dumps(rows).encode(), body=body)
                return
            siblings = [{"rfilename": name} for name in FILES]
            said = {"id": "org/base", "modelId": "org/base", "sha": self.server.commit,
                    "siblings": siblings}  # fmt: skip
            self._send(json.dumps(said).encode(), body=body)
            return
        name = path.removeprefix(f"/org/base/resolve/{COMMIT}/")
        if name not in FILES:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if body:
            self.server.asked.append(name)
        self._send(FILES[name], body=body)

    def _send(self, data: bytes, *, body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{sha256(data)}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            self.wfile.write(data)


@pytest.fixture(autouse=True)
def _said(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the suite's environment says, also where the library was imported before it spoke."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    made = Server(("127.0.0.1", 0), Answers)
    made.asked = []
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def at(server: Server) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def test_weights_and_papers_of_one_commit_and_no_code(server: Server, tmp_path: Path) -> None:
    found = download("org/base", None, tmp_path, endpoint=at(server))
    assert (found.commit, found.folder.name) == (COMMIT, f"org--base-{COMMIT[:12]}")
    files = {
        path.relative_to(found.folder).as_posix()
        for path in found.folder.rglob("*")
        if path.is_file() and ".cache" not in path.parts
    }
    assert files == WANTED
    assert set(server.asked) == WANTED
    assert (found.folder / "LICENSE.md").read_bytes() == FILES["LICENSE.md"]
    server.asked.clear()
    assert download("org/base", "main", tmp_path, endpoint=at(server)) == found
    assert not server.asked


@pytest.mark.parametrize("commit", ["../../../etc", "main", "", "0123"])
def test_an_answer_that_names_no_commit_makes_no_folder(
    server: Server, tmp_path: Path, commit: str
) -> None:
    server.commit = commit
    with pytest.raises(SourceError, match="no commit"):
        download("org/base", None, tmp_path / "in", endpoint=at(server))
    assert not (tmp_path / "in").exists()


def test_an_unknown_base_is_told(server: Server, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"org/none.*Nothing was recorded") as refused:
        download("org/none", None, tmp_path, endpoint=at(server))
    assert "by path" in refused.value.hint


def test_nobody_there_is_told(server: Server, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="refused"):
        download("org/base", None, tmp_path, endpoint="http://127.0.0.1:9")


def test_offline_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="offline"):
        download("org/base", None, tmp_path, endpoint="http://127.0.0.1:9")


@pytest.mark.parametrize("name", ["", "base", "a/b/c", "../x/y", "org/../x", "org/ base", "-o/b"])
def test_a_name_that_is_none_asks_nobody(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="no name on the hub"):
        download(name, None, tmp_path, endpoint="http://127.0.0.1:9")


def test_nothing_that_could_run_is_wanted() -> None:
    assert not [one for one in hub.WANTED if one.endswith((".py", ".bin", ".ckpt", ".pt", "*.*"))]
