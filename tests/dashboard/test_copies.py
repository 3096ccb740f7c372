"""Is a person asked about the right pairs, shown what matters, and is every word of theirs kept?"""

from __future__ import annotations

import itertools
import json
import shutil

import picture_edits
import pytest
from PIL import Image, ImageOps
from starlette.applications import Starlette
from starlette.testclient import TestClient

from picdeed.core.events import Event
from picdeed.flow import pipeline
from picdeed.registry import ledger
from picdeed.registry.codes import PairVerdict
from picdeed.registry.session import open_registry
from picdeed.registry.similar import Cluster, ClusterMember, cluster_id, new_pair
from picdeed.rights.claims import ClaimKind
from picdeed.testing import tiny_picture, tiny_registry
from picdeed_ui import data, laid
from picdeed_ui.parts import asked, deciding
from picdeed_ui.serving import routes

EVE = "Eve Example"
HOSTILE = "<img src=x onerror=document.title='broken'> **bold** :material/face: drawing"


def write(folder, rows):
    """A folder of pictures: name -> (picture, metadata)."""
    folder.mkdir(parents=True)
    table = []
    for name, (image, row) in rows.items():
        image.save(folder / name)
        table.append(
            json.dumps({"file_name": name, "license": "CC-BY-4.0", "author": "Ada", **row})
        )
    (folder / "metadata.jsonl").write_text("\n".join(table))
    return folder


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Four drawings; copies of them with an opt-out, another licence, a word, other colours."""
    root = tmp_path_factory.mktemp("copies")
    registry = tiny_registry(root / "registry")
    own = {f"own-{n}.png": (tiny_picture(n), {"caption": f"drawing {n}"}) for n in range(1, 6)}
    web = {
        "optout.png": (
            tiny_picture(2).resize((80, 80), Image.Resampling.LANCZOS),
            {"caption": "the copy"},
        ),
        "mirror.png": (ImageOps.mirror(tiny_picture(3)), {"license": "CC0-1.0", "author": "Bob"}),
        "word.png": (
            picture_edits.lettered(tiny_picture(4), 0.2, "SALE"),
            {"caption": HOSTILE, "author": HOSTILE},
        ),
        "hue.png": (picture_edits.hue(tiny_picture(1), 100), {}),
    }
    pipeline.register(registry, write(root / "own", own), "own")
    web_done = pipeline.register(registry, write(root / "web", web), "web")
    copy = next(one.id for one in web_done.ingested.pictures if one.path.endswith("optout.png"))
    said = {ClaimKind.OPT_OUT: "letter of 3 May"}
    pipeline.claim(registry, pipeline.rules(), copy, said, pipeline.Saying(EVE, "letter"))
    return registry.root


@pytest.fixture(scope="module")
def searched(template, tmp_path_factory):
    """The same, looked through."""
    root = tmp_path_factory.mktemp("searched") / "registry"
    shutil.copytree(template, root)
    pipeline.dedup(open_registry(root))
    return root


def use(root, tmp_path, monkeypatch):
    shutil.copytree(root, tmp_path / "copy")
    monkeypatch.setenv("PICDEED_REGISTRY", str(tmp_path / "copy"))
    data._opened.cache_clear()
    return data.registry()


@pytest.fixture
def copied(searched, tmp_path, monkeypatch):
    yield use(searched, tmp_path, monkeypatch)
    data._opened.cache_clear()


@pytest.fixture
def unsearched(template, tmp_path, monkeypatch):
    yield use(template, tmp_path, monkeypatch)
    data._opened.cache_clear()


def ask(hand, item, **more):
    """The page of an item's first pair."""
    left, right = item.pairs[0]
    return hand.go("copies", a=left, b=right, asked=item.kind, **more)


def named(hand, app):
    hand.field(app, "text_input", "Who decides").set_value(EVE)
    return app


def said(hand, app):
    """What the page says, without the marks that keep Markdown harmless."""
    return hand.said(app).replace("\\", "").replace("\u2060", "")


def item_of(kind):
    return next(one for one in asked.queue() if one.kind == kind)


def test_without_pictures(opened, hand):
    app = hand.go("copies")
    assert "Nobody has looked for copies in this registry yet." in said(hand, app)
    assert [one.label for one in app.get("page_link")] == ["Register pictures"]


def test_a_search_runs_only_when_it_is_asked_for(unsearched, hand):
    app = hand.go("copies")
    assert "Nothing was looked for yet." in said(hand, app)
    assert data.waiting() == data.Waiting(searched=False, pictures=9, decisions=0)
    app = hand.press(app, "Look for copies")
    assert "Nobody has looked" not in said(hand, app)
    assert data.waiting() == data.Waiting(searched=True, pictures=0, decisions=0)
    assert asked.queue()


def test_pictures_that_came_later_are_waiting(copied, hand, tmp_path):
    more = write(tmp_path / "more", {"new.png": (tiny_picture(9), {})})
    pipeline.register(copied, more, "more")
    assert "1 picture came or changed since copies were last looked for." in said(
        hand, hand.go("copies")
    )


def test_the_queue_counts_its_kinds_and_filters(copied, hand):
    numbers = asked.counts(asked.queue())
    assert {"opt-out", "licenses-differ", "part-differs", "colours-differ"} <= numbers.keys()
    app = hand.go("copies")
    assert f"To look at ({sum(numbers.values())})" in app.radio[0].options
    hand.field(app, "selectbox", "Why").select("part-differs").run()
    assert app.query_params["kind"] == "part-differs"
    app = hand.press(app, "Begin with the first")
    assert app.query_params["asked"] == "part-differs"
    assert app.query_params["a"]


def test_an_item_tells_why_and_shows_both_sides(copied, hand):
    text = said(hand, ask(hand, item_of("licenses-differ")))
    assert "Different licences: one picture under CC-BY-4.0, CC0-1.0." in text
    assert '<tr class="pd-differs"><td class="pd-what">Licence claimed</td>' in text
    assert "Ada" in text
    assert "Bob" in text
    assert "mirrored" in text
    assert "one picture, as far as pixels say" in text


def test_an_opt_out_pairs_the_keeper_with_the_copy_that_brings_it(copied):
    item = item_of("opt-out")
    claims = data.claims_in_force(item.pictures)
    opted = {p for p, rows in claims.items() if any(c.kind == "opt-out" for c in rows)}
    assert len(item.pairs) == 1
    assert len(opted & set(item.pairs[0])) == 1


def test_a_decision_takes_one_click_and_goes_on(copied, hand):
    before = asked.queue()
    app = hand.press(named(hand, ask(hand, before[0])), "Not a match")
    assert (app.query_params["a"], app.query_params["b"]) == before[1].pairs[0]
    assert "Not a match: recorded." in said(hand, app)
    assert "Nobody is asked about these two again." in said(hand, app)
    assert [one.pairs for one in asked.queue()] == [one.pairs for one in before[1:]]
    (done,) = data.decided()
    assert (done.verdict, done.by) == ("not-a-match", EVE)
    # The name is kept: the next one really is one click.
    app = hand.press(app, "Same picture")
    assert [one.by for one in data.decided()] == [EVE, EVE]


def test_nobody_decides_without_a_name(copied, hand):
    app = hand.press(ask(hand, asked.queue()[0]), "Same picture")
    assert "Nobody was named; nothing was recorded." in app.error[0].value.replace("\\", "")
    assert not data.decided()


def test_skipping_records_nothing_and_goes_on(copied, hand):
    found = asked.queue()
    app = hand.press(ask(hand, found[0]), "Skip")
    assert (app.query_params["a"], app.query_params["b"]) == found[1].pairs[0]
    app = hand.press(ask(hand, found[-1]), "Skip")
    assert "a" not in app.query_params
    assert not data.decided()
    assert asked.queue() == found


def test_back_and_forth(copied, hand):
    found = asked.queue()
    app = ask(hand, found[0])
    assert hand.button(app, "Previous").disabled
    app = hand.press(app, "Next")
    assert app.query_params["a"] == found[1].pairs[0][0]
    assert hand.press(app, "Previous").query_params["a"] == found[0].pairs[0][0]


def test_undo_asks_again(copied, hand):
    before = asked.queue()
    app = hand.press(named(hand, ask(hand, before[0])), "Same picture")
    app = hand.press(app, "Undo")
    assert not data.decided()
    assert asked.queue() == before
    assert (app.query_params["a"], app.query_params["b"]) == before[0].pairs[0]


def test_what_was_decided_before_the_page_was_read_can_be_undone_too(copied):
    before = asked.queue()
    two = item_of("colours-differ").pairs[0]
    pipeline.decide_pair(copied, *two, PairVerdict.NOT_A_MATCH, by=EVE)
    data.forget_copies()
    asked._every.cache_clear()
    assert len(asked.queue()) == len(before) - 1
    pipeline.decide_pair(copied, *two, None)
    assert asked.queue() == before


def test_the_last_one_leads_back_to_the_list(copied, hand):
    app = ask(hand, item_of("part-differs"), kind="part-differs")
    while "a" in app.query_params:
        app = hand.press(named(hand, app), "Not a match")
    assert "Not a match: recorded." in said(hand, app)
    assert "part-differs" not in asked.counts(asked.queue())


def test_decisions_are_listed_with_who_and_why(copied, hand):
    two = item_of("part-differs").pairs[0]
    pipeline.decide_pair(copied, *two, PairVerdict.VARIANT, by=HOSTILE, because="<b>why</b>")
    app = hand.go("copies", view="decided")
    assert "<b>" not in said(hand, app)
    assert deciding.in_words(data.decided()[0]).startswith("Same drawing, other colours, says <img")
    hand.press(app, "Undo")
    assert not data.decided()
    assert hand.go("copies", view="decided")
    assert "Nobody has decided about a pair yet." in said(hand, hand.go("copies", view="decided"))


def test_a_decided_pair_says_so_and_another_word_takes_its_place(copied, hand):
    item = item_of("part-differs")
    pipeline.decide_pair(copied, *item.pairs[0], PairVerdict.NOT_A_MATCH, by="Bob")
    app = ask(hand, item)
    assert "Decided: Not a match, says Bob" in said(hand, app)
    app = hand.press(named(hand, app), "Same picture")
    assert [(one.verdict, one.by) for one in data.decided()] == [("merge", EVE)]


def test_a_decision_is_in_the_clusters_at_once(copied, hand):
    item = item_of("licenses-differ")
    app = hand.press(named(hand, ask(hand, item)), "Not a match")
    assert "They part now." in said(hand, app)
    assert not data.waiting().decisions
    assert not any(set(item.pairs[0]) <= set(one.members) for one in data.copies().clusters)
    hand.press(app, "Undo")
    assert any(set(item.pairs[0]) <= set(one.members) for one in data.copies().clusters)


def test_many_clusters_are_grouped_anew_when_it_is_asked_for(copied, hand, monkeypatch):
    monkeypatch.setattr(deciding, "AT_ONCE", 0)
    item = item_of("licenses-differ")
    app = hand.press(named(hand, ask(hand, item)), "Not a match")
    assert "They part when pictures are grouped anew." in said(hand, app)
    assert item.kind not in asked.counts(asked.queue())
    app = hand.go("copies")
    assert "What was decided last is not in the clusters yet" in said(hand, app)
    hand.press(app, "Group anew")
    assert not data.waiting().decisions
    assert not any(set(item.pairs[0]) <= set(one.members) for one in data.copies().clusters)


def test_another_keeper(copied, hand):
    group = next(one for one in data.copies().clusters if one.kind == "near")
    other = next(one for one in group.members if one != group.keeper)
    app = hand.go("copies", cluster=group.id)
    app = hand.press(named(hand, app), "Let it stand for them")
    assert "It stands for them now." in said(hand, app)
    assert {one.id: one.keeper for one in data.copies().clusters}[group.id] == other


def test_which_one_stands_for_both_is_recorded(copied, hand):
    item = item_of("part-differs")
    app = named(hand, ask(hand, item))
    hand.field(app, "radio", "If they are one, which stands for both?").set_value("the right one")
    hand.press(app, "Same picture")
    assert data.decided()[0].keep == item.pairs[0][1]


def test_clusters_and_datasets(copied, hand):
    assert f"Clusters ({len(data.copies().clusters)})" in hand.go("copies").radio[0].options
    none = hand.go("copies", dataset="nonsense", view="nonsense", page="-7")
    assert none.radio[0].value == "look"
    assert "No such cluster" in said(hand, hand.go("copies", cluster="clu_00"))


def test_an_address_that_leads_nowhere(copied, hand):
    one = data.copies().clusters[0].keeper
    assert "No such pair" in said(hand, hand.go("copies", a="img_ff", b="<b>"))
    assert "That is one picture, not two." in said(hand, hand.go("copies", a=one, b=one[:20]))


def test_hostile_names_are_only_text(copied, hand):
    app = ask(hand, item_of("part-differs"))
    assert "<img src=x" not in said(hand, app)
    assert "&lt;img src=x onerror" in said(hand, app)


def test_strangers_are_compared_for_the_page_only(copied, hand):
    names = [one for one in data.some_pictures(all_ids()) if "own" in one.datasets]
    first, second = names[0].picture.id, names[1].picture.id
    if data.pairs_among([first, second]):
        pytest.skip("these two were candidates")
    text = said(hand, hand.go("copies", a=first, b=second))
    assert "it was done for this page, and not recorded" in text
    assert not data.pairs_among([first, second])


def test_a_crop_is_told_from_either_side(copied):
    two = next(two for two in itertools.combinations(all_ids(), 2) if not data.pairs_among(two))
    pair = new_pair(*two, kind="crop-of", distance=0.1, evidence={"overlap": [1.0, 0.3]})
    with copied.write() as session:
        ledger.write(session, Event.DEDUP_FINGERPRINTED, {}, [pair])
    here, there = laid.seen(two[0], two[1]), laid.seen(two[1], two[0])
    assert (here.kind, here.overlap) == ("crop-of", (1.0, 0.3))
    assert (there.kind, there.overlap) == ("contains", (0.3, 1.0))


def all_ids():
    return [view.picture.id for view in data.page_of(None, None, None, None).items]


def test_a_picture_whose_bytes_are_gone(copied, hand):
    left, right = item_of("part-differs").pairs[0]
    copied.blobs.path(left.removeprefix("img_")).unlink()
    laid._laid.cache_clear()
    app = hand.go("copies", a=left, b=right)
    assert "are missing from the registry" in app.error[0].value.replace("\\", "")


def test_an_overlay_is_served_and_only_of_pictures(copied):
    client = TestClient(Starlette(routes=routes()))
    left, right = (one.removeprefix("img_") for one in item_of("part-differs").pairs[0])
    for what in ("first", "second", "difference"):
        got = client.get(f"/app/static/laid/{left}/{right}/{what}")
        assert got.headers["content-type"] == "image/webp"
        assert got.content[8:12] == b"WEBP"
        assert "sandbox" in got.headers["content-security-policy"]
    evidence = copied.blobs.put(copied.blobs.read(right) + b"\0")  # no picture of the registry
    for wrong in (
        f"{left}/{evidence}/first",
        f"{left}/{right}/else",
        f"{left}/{'0' * 64}/first",
        f"x/{right}/first",
    ):
        assert client.get(f"/app/static/laid/{wrong}").status_code == 404


def test_thousands_of_clusters_come_page_by_page(copied, hand):
    known = {one.id for one in data.copies().clusters}
    rows = []
    for two in itertools.combinations(all_ids(), 2):
        name = cluster_id("variant", two)
        if name not in known:
            rows.append(Cluster(id=name, kind="variant", keeper=two[0]))
            rows += [ClusterMember(cluster_id=name, picture_id=one) for one in two]
    with copied.write() as session:
        ledger.write(session, Event.DEDUP_CLUSTERED, {}, rows)
    app = hand.go("copies", view="clusters")
    total = len(data.copies().clusters)
    assert total > 20
    assert f"Page 1 of {-(-total // 20)}" in said(hand, app)
    app = hand.press(app, "Next")
    assert app.query_params["page"] == "2"
    assert "Page 2 of" in said(hand, hand.go("copies", view="clusters", page="2"))
    last = hand.go("copies", view="clusters", page="999")
    assert hand.button(last, "Next").disabled
