"""Does everything that ends appear on its day, and every changed licence text?"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import pytest

from picdeed.core.errors import UsageError
from picdeed.core.events import Event
from picdeed.diffusion.recipe import load_recipe
from picdeed.flow import pipeline
from picdeed.flow.facts import add_fact
from picdeed.flow.grants import Contract, end, grant
from picdeed.flow.pins import CATALOGUE, FETCHED, FILE, pins, record_pins
from picdeed.flow.watch import Watched, watch
from picdeed.jobs import launch
from picdeed.registry import claims as claim_rows
from picdeed.registry import ledger, texts
from picdeed.registry.decisions import Approval
from picdeed.registry.pictures import page
from picdeed.registry.session import Registry, open_registry
from picdeed.rights.catalogue import Catalogue, text_digest
from picdeed.rights.terms import Condition, Rule, Terms
from picdeed.rights.verdict import Certainty, Use, Verdict
from picdeed.testing import tiny_pictures, tiny_registry

QUICK = ("steps=1", "batch=1", "rank=1", "warmup_steps=0", "eval_noises=1")
HOUSE = {"license": "CC-BY-NC-4.0", "author": "The House"}
ALL = tuple(Use)
MARCH = "2126-03-02"  # the last day of the contract; every simulated day lies around it
END = "2126-03-02T23:59:59.999999Z"


@dataclass(frozen=True)
class Life:
    place: Path
    adapter: str
    free: str
    grant: str


def contract(place: Path, **changes) -> Contract:
    paper = place / "contract.txt"
    paper.write_text("They may.")
    named = {
        "licensor": "The House",
        "licensee": "Us",
        "actions": ALL,
        "evidence": paper,
        "starts": "2020-01-01",
        "ends": MARCH,
        "survival": "no",
    }
    return Contract(**(named | changes))


@pytest.fixture(scope="module")
def lived_once(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """Two adapters: one learned from three pictures under contract, one from free pictures."""
    place = tmp_path_factory.mktemp("watched")
    registry = tiny_registry(place / "registry")
    recipe = load_recipe("demo", QUICK)
    pipeline.register(registry, tiny_pictures(place / "house", 3, HOUSE), "house")
    pipeline.register(registry, tiny_pictures(place / "free", 3, first=30), "free")
    made = grant(registry, "house", contract(place))
    adapters = []
    for dataset in ("house", "free"):
        frozen = pipeline.freeze(registry, dataset)
        done = pipeline.fine_tune(registry, frozen.snapshot, "sprig", recipe, launch.foreground)
        adapters.append(done.adapter["id"])
    registry.close()
    return Life(place, adapters[0], adapters[1], made.id)


@pytest.fixture
def lived(lived_once: Life, tmp_path: Path) -> Registry:
    shutil.copytree(lived_once.place / "registry", tmp_path / "registry")
    return open_registry(tmp_path / "registry")


def on(registry: Registry, day: str, days: int = 30, known: Catalogue | None = None) -> Watched:
    at = f"{day}T00:00:00.000000Z"
    return watch(registry, known or pipeline.rules(), at=at, days=days)


def of_kind(done: Watched, kind: str) -> list:
    return [one for one in done.expiring if one.kind == kind]


def test_these_adapters_lose_selling_on_the_day_the_contract_ends(
    lived: Registry, lived_once: Life
) -> None:
    assert not of_kind(on(lived, "2126-01-01"), "adapter")
    (loss,) = of_kind(on(lived, "2126-02-20"), "adapter")
    assert (loss.id, loss.when) == (lived_once.adapter, END)
    assert {"sell-adapter", "share-adapter"} <= set(loss.uses)
    assert loss.what.startswith("loses ")
    (passed,) = of_kind(on(lived, "2126-03-10"), "adapter")
    assert passed.what.startswith("lost ")
    assert not of_kind(on(lived, "2126-05-10"), "adapter")


def test_a_grant_is_listed_before_and_ever_after_its_end(lived: Registry, lived_once: Life) -> None:
    assert not of_kind(on(lived, "2126-01-01"), "grant")
    (soon,) = of_kind(on(lived, "2126-02-20"), "grant")
    assert (soon.id, soon.when, soon.pictures) == (lived_once.grant, END, 3)
    assert "The House ends" in soon.what
    assert set(soon.uses) == set(ALL)
    (over,) = of_kind(on(lived, "2127-01-01"), "grant")
    assert "The House ended" in over.what


def test_a_grant_that_is_ended_early_counts_from_then(lived: Registry, lived_once: Life) -> None:
    end(lived, lived_once.grant, "they left", on="2126-02-01")
    (over,) = of_kind(on(lived, "2126-02-20"), "grant")
    assert over.when < "2126-02-03"
    assert "they left" in over.what
    (loss,) = of_kind(on(lived, "2126-01-20"), "adapter")
    assert loss.when == over.when


def test_a_contract_that_is_outlived_takes_nothing_from_adapters(
    registry: Registry, tmp_path: Path
) -> None:
    pipeline.register(registry, tiny_pictures(tmp_path / "house", 3, HOUSE), "house")
    grant(registry, "house", contract(tmp_path, survival="yes"))
    frozen = pipeline.freeze(registry, "house")
    recipe = load_recipe("demo", QUICK)
    pipeline.fine_tune(registry, frozen.snapshot, "sprig", recipe, launch.foreground)
    done = on(registry, "2126-02-20")
    assert not of_kind(done, "adapter")
    assert "outlive it" in of_kind(done, "grant")[0].what


def rich(known: Catalogue) -> Catalogue:
    """sprig as if its licence were free only for those who earn less than a million."""
    sprig = known.bases["sprig"]
    rule = Rule(
        Verdict.DUTIES, Certainty.SETTLED, "revenue clause",
        condition=Condition("annual-revenue-usd", 1e6),
    )  # fmt: skip
    rules = MappingProxyType({**sprig.terms.rules, Use.SELL_ADAPTER: rule})
    changed = replace(sprig, terms=replace(sprig.terms, rules=rules))
    return replace(known, bases=MappingProxyType({**known.bases, "sprig": changed}))


def test_revenue_over_the_threshold_takes_selling_from_every_adapter(
    lived: Registry, lived_once: Life
) -> None:
    known = rich(pipeline.rules())
    add_fact(lived, known, "annual-revenue-usd", "900000", "2020-01-01")
    add_fact(lived, known, "annual-revenue-usd", "1200000", "2126-01-15")
    done = on(lived, "2126-01-10", known=known)
    assert {one.id for one in of_kind(done, "adapter")} == {lived_once.adapter, lived_once.free}
    assert {one.uses for one in of_kind(done, "adapter")} == {("sell-adapter",)}
    (fact,) = of_kind(done, "fact")
    assert (fact.when[:10], fact.what) == (
        "2126-01-15", "annual-revenue-usd becomes 1200000",
    )  # fmt: skip
    add_fact(lived, known, "annual-revenue-usd", "950000", "2126-01-15")
    done = on(lived, "2126-01-10", known=known)
    assert not of_kind(done, "adapter")
    assert [one.what for one in of_kind(done, "fact")] == ["annual-revenue-usd becomes 950000"]


def test_a_suspended_adapter_has_nothing_left_to_lose(lived: Registry, lived_once: Life) -> None:
    pipeline.withdraw(lived, lived_once.adapter, pipeline.Ground.ERROR)
    assert not of_kind(on(lived, "2126-02-20"), "adapter")


def test_decisions_and_approvals_expire(lived: Registry, lived_once: Life) -> None:
    done = watch(lived, pipeline.rules(), days=40)
    decided = of_kind(done, "decision")
    assert len(decided) == 2
    assert all("expires" in one.what and one.uses == ("train",) for one in decided)
    row = Approval(
        decision_id=decided[0].id,
        recorded_at="2026-01-01T00:00:00.000000Z",
        by="A. Counsel",
        basis="advice",
        until="2126-02-25T00:00:00.000000Z",
    )
    with lived.write() as session:
        ledger.write(session, Event.GATE_DECIDED, {}, [row])
    (passed,) = of_kind(on(lived, "2126-02-20"), "approval")
    assert "A. Counsel expires" in passed.what
    assert not of_kind(watch(lived, pipeline.rules(), days=0), "decision")


def checked(registry: Registry, picture: str, kind: str, parsed: str, at: str) -> None:
    row = claim_rows.new_claim(
        picture, source="http", kind=kind, raw=parsed, parsed=parsed, status="parsed",
        parser="test/1", observed_at=at,
    )  # fmt: skip
    with registry.write() as session:
        ledger.write(session, Event.INGEST_PICTURES, {}, [row])


def test_checks_grow_stale_after_thirty_days_unless_waived(filled: Registry) -> None:
    with filled.read() as session:
        first, second, third, *_ = [one.picture.id for one in page(session).items]
    for picture in (first, second, third):
        checked(filled, picture, "checked", "robots", "2126-01-01T10:00:00.000000Z")
    checked(filled, third, "checked", "again", "2126-01-20T10:00:00.000000Z")
    checked(filled, second, "waiver", "2126-03-01", "2126-01-02T00:00:00.000000Z")
    found = of_kind(on(filled, "2126-01-25", days=40), "check")
    assert [(one.id, one.when[:10], one.pictures) for one in found] == [
        (first, "2126-01-31", 1),
        (third, "2126-02-19", 1),
        (second, "2126-03-01", 1),
    ]
    assert not of_kind(on(filled, "2126-01-02", days=1), "check")
    (stale, *_) = of_kind(on(filled, "2126-02-02"), "check")
    assert "grew stale" in stale.what


PAGE = "https://example.org/mit.txt"


def pinned(known: Catalogue, digest: str, source: str = PAGE) -> Catalogue:
    """The shipped rules with one pinned text only, so that tests know all addresses."""

    def bare(name: str, terms: Terms) -> Terms:
        pin = (digest, source) if name == "MIT" else ("", "")
        return replace(terms, text_sha256=pin[0], text_source=pin[1], text_file=None)

    return replace(
        known,
        licenses=MappingProxyType({n: bare(n, t) for n, t in known.licenses.items()}),
        bases=MappingProxyType(
            {n: replace(b, terms=bare("", b.terms)) for n, b in known.bases.items()}
        ),
    )


@pytest.fixture
def known() -> Catalogue:
    return pinned(pipeline.rules(), text_digest("old"))


def test_another_text_under_an_address_is_a_new_row(
    registry: Registry, known: Catalogue, tmp_path: Path
) -> None:
    file = tmp_path / "mit.txt"
    file.write_bytes(b"old")
    assert watch(registry, known, seen={PAGE: file}).changed_texts == ()
    file.write_bytes(b"new")
    (changed,) = watch(registry, known, seen={PAGE: file}).changed_texts
    assert (changed.license, changed.url, changed.was, changed.now, changed.origin) == (
        "MIT", PAGE, text_digest("old"), text_digest("new"), FILE,
    )  # fmt: skip
    assert not changed.pinned
    with registry.read() as session:
        before = ledger.last_event(session)
        rows = [row for row in texts.all_texts(session) if row.url == PAGE]
    assert [row.origin for row in rows] == [CATALOGUE, FILE]
    assert registry.blobs.read(changed.now) == b"new\n"
    # repeated without the file it is still so, and nothing is written
    assert watch(registry, known).changed_texts == (changed,)
    with registry.read() as session:
        assert ledger.last_event(session) == before
    # years later too, until the rules are read anew from it
    assert on(registry, "2126-01-01", known=known).changed_texts == (changed,)
    renewed = pinned(known, text_digest("new"))
    assert on(registry, "2126-01-01", known=renewed).changed_texts == ()
    file.write_bytes(b"old")
    assert watch(registry, known, seen={PAGE: file}).changed_texts == ()
    assert pipeline.audit(registry, pipeline.trust_of(registry)).ok


def test_a_catalogue_with_another_pin_is_a_change(registry: Registry, known: Catalogue) -> None:
    record_pins(registry, known)
    (changed,) = watch(registry, pinned(known, text_digest("new"))).changed_texts
    assert (changed.was, changed.now, changed.origin) == (
        text_digest("old"), text_digest("new"), CATALOGUE,
    )  # fmt: skip
    assert changed.pinned


def test_every_pin_is_recorded_when_a_registry_begins(registry: Registry) -> None:
    with registry.read() as session:
        rows = {(row.url, row.sha256) for row in texts.all_texts(session)}
    assert {(url, digest) for _, url, digest in pins(pipeline.rules())} == rows


def test_line_ends_and_trailing_blanks_are_no_change(
    registry: Registry, known: Catalogue, tmp_path: Path
) -> None:
    file = tmp_path / "mit.txt"
    file.write_bytes(b"\xef\xbb\xbfold  \r\n\r\n")
    assert watch(registry, known, seen={PAGE: file}).changed_texts == ()


@pytest.mark.parametrize("seeded", [b"new", b"", b"\xff" * 10])
def test_what_servers_answer_is_compared(
    registry: Registry, known: Catalogue, seeded: bytes
) -> None:
    asked = []

    def ask(url: str) -> tuple[bytes | None, str]:
        asked.append(url)
        return seeded, ""

    (changed,) = watch(registry, known, ask=ask).changed_texts
    assert asked == [PAGE]
    told = text_digest(seeded.decode("utf-8", "backslashreplace"))
    assert (changed.now, changed.origin) == (told, FETCHED)


def test_an_address_that_gives_nothing_is_told_and_changes_nothing(
    registry: Registry, known: Catalogue
) -> None:
    done = watch(registry, known, ask=lambda _url: (None, "no route\nto it"))
    assert done.changed_texts == ()
    assert done.unreachable == ({"url": PAGE, "why": "no route to it"},)


def test_where_the_source_is_no_address_the_licences_page_stands_for_it(
    known: Catalogue,
) -> None:
    changed = pinned(known, "a" * 64, "some book")
    assert pins(changed) == (("MIT", known.licenses["MIT"].url, "a" * 64),)


def test_an_address_that_no_licence_has_is_refused(
    registry: Registry, known: Catalogue, tmp_path: Path
) -> None:
    file = tmp_path / "x"
    file.write_text("x")
    with pytest.raises(UsageError, match=r"example\.com"):
        watch(registry, known, seen={"https://example.com/": file})


@pytest.mark.parametrize("days", [-1, 100_000])
def test_days_have_limits(registry: Registry, days: int) -> None:
    with pytest.raises(UsageError):
        watch(registry, pipeline.rules(), days=days)


def test_the_end_of_time_is_no_crash(registry: Registry) -> None:
    with pytest.raises(UsageError):
        on(registry, "9999-12-30")


def test_an_empty_registry_has_nothing_to_lose(registry: Registry) -> None:
    assert watch(registry, pipeline.rules()).expiring == ()
