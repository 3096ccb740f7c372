"""One person's way through the whole dashboard, in a real browser.

register (dry run, then write) -> browse -> one picture -> snapshot, gate, a short fine-tune,
watched -> the verdict with its clauses -> one drawing, its credential and lineage -> how the base
reads a prompt -> one picture is revoked, and the drawing falls with it -> a look-alike is looked at
and decided -> audit; then somebody damages the registry behind its back, and the page says so.
"""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from picture_edits import lettered
from playwright.sync_api import Page, expect

from picdeed.registry import pictures
from picdeed.testing import tiny_picture, tiny_pictures

pytestmark = pytest.mark.browser

STEPS = 2
SLOW = 300_000  # milliseconds; a busy machine, the first import of torch
HOSTILE = "<img src=x onerror=document.title='broken'> **bold** :material/face: drawing 9"
SETTLED = """() => {
  const app = document.querySelector('[data-testid="stApp"]');
  return app && app.dataset.testScriptState === 'notRunning' && document.querySelector('h1');
}"""


class Visit:
    """A person at the page: reads, fills, presses, and waits until the page has answered."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.asked: list[str] = []
        self.failed: list[str] = []
        page.set_default_timeout(SLOW)
        expect.set_options(timeout=SLOW)
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))
        page.on("pageerror", lambda error: self.failed.append(str(error)))

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)
        self.settle()

    def turn_to(self, name: str) -> None:
        """By the navigation, as people do; the session lives on."""
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
        self.settle()

    def settle(self) -> None:
        self.page.wait_for_timeout(300)
        self.page.wait_for_function(SETTLED)

    def fill(self, label: str, said: str) -> None:
        field = self.page.get_by_label(label, exact=True)
        field.fill(said)
        field.press("Tab")
        self.settle()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()
        self.settle()

    def sees(self, said: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_test_id("stMain")).to_contain_text(said)

    def cards(self):
        """The pictures of the gallery (its shadow root is open)."""
        return self.page.locator(".grid > a")


@pytest.fixture
def visit(page, dashboard):
    return Visit(page, dashboard)


@pytest.fixture
def folder(tmp_path):
    folder = tiny_pictures(tmp_path / "pictures", 8)
    tiny_pictures(folder, 1, {"license": "CC0-1.0", "caption": HOSTILE}, first=9)
    (folder / "words.png").write_text("not a picture")
    return folder


@pytest.fixture
def alike(tmp_path):
    """The fourth drawing with a word on it, under a hostile name."""
    folder = tmp_path / "alike"
    folder.mkdir()
    lettered(tiny_picture(4), 0.2, "SALE").save(folder / "word.png")
    row = {"file_name": "word.png", "license": "CC0-1.0", "caption": HOSTILE}
    (folder / "metadata.jsonl").write_text(json.dumps(row))
    return folder


def test_the_whole_way(visit, registry, folder, alike):
    register(visit, folder)
    browse(visit)
    fine_tune(visit)
    rights(visit)
    draw(visit)
    look_inside(visit)
    revoke(visit)
    copies(visit, alike)
    audit(visit, registry)
    here = urlsplit(visit.address).netloc
    away = [url for url in visit.asked if urlsplit(url).netloc not in ("", here)]
    assert not away, "the dashboard asked another machine"
    assert not visit.failed


def register(visit, folder):
    visit.go("/")
    visit.sees("The registry is empty")
    visit.turn_to("Register")
    visit.fill("Folder, archive or file", str(folder))
    visit.fill("Dataset", "tiny")
    visit.press("Dry run")
    visit.sees("9 pictures would be registered")
    visit.sees("words.png")
    visit.press("Register")
    visit.sees("9 pictures were registered in tiny")


def browse(visit):
    visit.turn_to("Browse")
    expect(visit.cards()).to_have_count(9)
    visit.page.wait_for_function(
        "card => [...card.parentElement.querySelectorAll('img')].every(i => i.naturalWidth > 0)",
        arg=visit.cards().first.element_handle(),
    )
    visit.cards().filter(has_text="drawing 9").click()
    visit.sees("What may be done with it")
    visit.sees("**bold** :material/face: drawing 9")
    visit.sees("CC0-1.0")
    visit.sees("ALLOW")
    assert "picture=img_" in visit.page.url
    assert visit.page.title() != "broken"
    expect(visit.page.locator(".pd-mount img")).to_have_js_property("naturalWidth", 96)
    visit.page.get_by_role("link", name="All pictures").click()
    expect(visit.cards()).to_have_count(9)


def fine_tune(visit):
    visit.turn_to("Fine-tune")
    visit.press("Make a snapshot")
    visit.sees("9 pictures are frozen")
    visit.press("Ask the gate")
    visit.sees(re.compile("The gate says.*(ALLOW|DUTIES)"))
    visit.fill("Steps", str(STEPS))
    visit.press("Start the run")
    visit.sees(f"of {STEPS}")
    visit.sees("succeeded")
    visit.sees(f"{STEPS} of {STEPS}")
    visit.sees("Did it learn?")


def rights(visit):
    visit.turn_to("Rights")
    visit.press("Ask the gate")
    visit.sees(re.compile("The gate says.*(ALLOW|DUTIES)"))
    visit.sees(re.compile(r"CC0-1\.0 2\b"))
    visit.sees("settled")
    visit.sees("Recorded decisions")
    visit.sees("alive")


def draw(visit):
    visit.turn_to("Outputs")
    visit.fill("Prompt", "drawing of a key")
    visit.fill("Pictures", "1")
    visit.fill("Drawing steps", "2")
    visit.press("Draw and sign")
    visit.sees("1 pictures are signed")
    expect(visit.cards()).to_have_count(1)
    visit.cards().first.click()
    visit.sees("Unchanged since signing?")
    visit.sees("intact")
    visit.sees("development")
    assert "output=out_" in visit.page.url
    lineage = visit.page.get_by_test_id("stGraphVizChart")
    for word in ("snapshot", "decision", "run", "adapter", "drawing of a key"):
        expect(lineage).to_contain_text(word)


def look_inside(visit):
    visit.turn_to("How it draws")
    visit.sees("on a blue background")
    visit.fill("Steps", "2")
    visit.press("Read along")
    visit.sees("of the attention")
    shown = visit.page.locator(".pd-plates img")
    expect(shown).to_have_count(9)  # the picture, five words, three marks
    visit.page.wait_for_function(
        "() => [...document.querySelectorAll('.pd-plates img')].every(i => i.naturalWidth > 0)"
    )
    expect(visit.page.locator(".katex").first).to_be_visible()


def revoke(visit):
    visit.turn_to("Browse")
    visit.cards().nth(1).click()
    visit.sees("What was claimed")
    picture = parse_qs(urlsplit(visit.page.url).query)["picture"][0]
    visit.page.get_by_role("link", name="Revoke it").click()
    visit.settle()
    visit.press("Show what falls")
    visit.sees("Nothing was changed so far")
    outputs = visit.page.locator(".pd-table tr", has_text="outputs")
    expect(outputs).to_contain_text("suspended")
    expect(visit.page.get_by_role("button", name="Revoke", exact=True)).to_be_disabled()
    visit.fill("Confirm", picture[:12])
    visit.press("Revoke")
    visit.sees("is revoked")
    visit.sees("Stop handing out the suspended adapters and outputs")
    visit.turn_to("Outputs")
    expect(visit.cards()).to_have_count(1)
    expect(visit.cards().first).to_contain_text("suspended")


def copies(visit, alike):
    visit.turn_to("Register")
    visit.fill("Folder, archive or file", str(alike))
    visit.fill("Dataset", "alike")
    visit.press("Register")
    visit.sees("1 pictures were registered in alike")
    visit.turn_to("Copies")
    visit.press("Look for copies")
    visit.sees("a part differs")
    visit.press("Begin with the first")
    visit.sees("A part differs: alike but for a part")
    visit.sees("**bold** :material/face:")
    for way in ("Laid over", "Difference", "Blink"):
        visit.page.get_by_role("tab", name=way).click()
        visit.page.wait_for_function(
            "tab => [...tab.getRootNode().querySelectorAll('img')].every(i => i.naturalWidth > 0)",
            arg=visit.page.get_by_role("tab", name=way).element_handle(),
        )
    expect(visit.page.locator(".stage .box").first).to_be_visible()
    visit.fill("Who decides", "Eve Example")
    visit.press("Not a match")
    visit.sees("recorded. Clusters stay as they are.")
    visit.sees("Decided (1)")
    assert visit.page.title() != "broken"


def audit(visit, registry):
    visit.turn_to("Audit")
    visit.press("Check now")
    visit.sees("Everything that was checked holds")
    damage(registry)
    visit.press("Check now")
    visit.sees("1 problem found")
    visit.sees("blob-altered")
    with visit.page.expect_download() as caught:
        visit.page.get_by_role("button", name="Report as HTML").click()
    assert "blob-altered" in caught.value.path().read_text(encoding="utf-8")


def damage(registry):
    """What somebody with a shell does: other bytes under a registered picture's name."""
    with registry.read() as session:
        victim = pictures.page(session, limit=1).items[0].picture
    path = registry.blobs.path(victim.sha256)
    path.chmod(0o600)
    path.write_bytes(b"other bytes")
