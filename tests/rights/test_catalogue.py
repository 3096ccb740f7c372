"""Is every line of the configs read, does one line matter, and are broken files refused?"""

import shutil

import pytest

from picdeed.core.errors import PicdeedError, UsageError
from picdeed.core.resources import bundled
from picdeed.rights.catalogue import load_catalogue
from picdeed.rights.claims import ClaimSource, license_claim
from picdeed.rights.decide import conclude
from picdeed.rights.verdict import Certainty, Use, Verdict


@pytest.fixture
def configs(tmp_path):
    for part in ("licenses", "models", "policies"):
        shutil.copytree(bundled("configs") / part, tmp_path / part)
    return tmp_path


def edit(path, old, new):
    text = path.read_text("utf-8")
    assert text.count(old) >= 1, old
    path.write_text(text.replace(old, new, 1), "utf-8")


def verdict(catalogue, license_id, use):
    claim = license_claim(license_id, ClaimSource.PERSON, catalogue.aliases)
    return conclude([claim], catalogue).verdicts[use]


def test_one_changed_line_changes_verdict_and_policy_hash(configs):
    before = load_catalogue(configs)
    assert verdict(before, "CC0-1.0", Use.TRAIN) is Verdict.ALLOW
    edit(
        configs / "licenses/cc-public-domain.toml",
        'train           = { effect = "ALLOW"',
        'train           = { effect = "DENY"',
    )
    after = load_catalogue(configs)
    assert verdict(after, "CC0-1.0", Use.TRAIN) is Verdict.DENY
    assert verdict(after, "CC0-1.0", Use.SELL_OUTPUTS) is Verdict.DENY
    assert verdict(after, "MIT", Use.TRAIN) is verdict(before, "MIT", Use.TRAIN)
    assert after.policy_hash != before.policy_hash


def test_a_rule_that_loses_its_certainty_no_longer_allows(configs):
    edit(configs / "licenses/cc-public-domain.toml", '"SETTLED"', '"UNSTATED"')
    assert verdict(load_catalogue(configs), "CC0-1.0", Use.TRAIN) is Verdict.REVIEW


def test_a_rule_that_becomes_duties_without_naming_one_still_loads(configs):
    edit(configs / "licenses/cc-public-domain.toml", '"ALLOW"', '"DUTIES"')
    assert verdict(load_catalogue(configs), "CC0-1.0", Use.TRAIN) is Verdict.DUTIES


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("licenses/cc-by.toml", "no time to cure", "some time to cure"),
        ("licenses/aliases.toml", '"CC BY 4.0", ', ""),
        ("models/sprig.toml", "Apache-2.0 2: the licence", "Apache-2.0 2: this licence"),
        ("policies/conservative.toml", "Every stage", "Each stage"),
    ],
)
def test_the_policy_hash_covers_every_file(configs, name, old, new):
    before = load_catalogue(configs).policy_hash
    edit(configs / name, old, new)
    assert load_catalogue(configs).policy_hash != before


def test_the_policy_hash_ignores_comments(configs, catalogue):
    path = configs / "licenses/cc-by.toml"
    path.write_text("# one more remark\n" + path.read_text("utf-8"), "utf-8")
    assert load_catalogue(configs).policy_hash == catalogue.policy_hash


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("licenses/cc-by.toml", '"DUTIES"', '"MAYBE"'),
        ("licenses/cc-by.toml", '"CONTESTED"', '"PROBABLY"'),
        ("licenses/cc-by.toml", "share-adapter ", "lend-adapter "),
        ("licenses/cc-by.toml", 'duties = ["records"]', 'duties = ["flowers"]'),
        ("licenses/cc-by.toml", "clause =", "claws ="),
        ("licenses/cc-by.toml", 'id = "CC-BY-2.5"', 'id = "CC-BY-2.0"'),
        ("licenses/cc-by.toml", "[[license]]", "[[license"),
        ("licenses/cc-by.toml", 'family = "CC-BY"\n', ""),
        ("licenses/cc-by-nc.toml", "[license.non-commercial]\ntrain ", "[license.non-commercial]\nsell-adapter "),
        ("licenses/aliases.toml", '"CC BY 3.0"', '"CC BY 4.0"'),
        ("licenses/aliases.toml", '"OFL-1.1" =', '"OFL-9" ='),
        ("models/sprig.toml", "[rules]", "[ruins]"),
        ("policies/conservative.toml", "reviewed", 'contested = "ALLOW"\nreviewed'),
    ],
)  # fmt: skip
def test_a_broken_file_stops_the_work_and_is_named(configs, name, old, new):
    edit(configs / name, old, new)
    with pytest.raises(PicdeedError) as caught:
        load_catalogue(configs)
    assert name.rpartition("/")[2] in caught.value.message
    assert caught.value.hint


def test_a_folder_without_rules_is_refused(tmp_path):
    with pytest.raises(PicdeedError, match="no licence rules"):
        load_catalogue(tmp_path)


def test_every_licence_answers_every_use_with_a_clause_that_names_it(catalogue):
    terms = [*catalogue.licenses.values(), *(base.terms for base in catalogue.bases.values())]
    assert len(terms) >= 20
    for text in terms:
        assert set(text.rules) == set(Use), text.id
        for rule in (*text.rules.values(), *text.non_commercial.values()):
            if text.id in catalogue.licenses:
                assert rule.clause.startswith((text.id, "Public Domain Mark 1.0")), rule.clause
            assert rule.clause
            assert rule.effect is not Verdict.ALLOW or rule.certainty is Certainty.SETTLED
            if rule.effect is Verdict.DUTIES:
                assert rule.duties, (text.id, rule.clause)


def test_share_alikes_say_what_an_adapter_may_carry(catalogue):
    for text in catalogue.licenses.values():
        alike = "share-alike" in text.duties or text.id == "OFL-1.1"
        assert bool(text.release_as) == alike == bool(text.release_clause), text.id
        assert set(text.release_as) <= set(catalogue.licenses)


def test_what_is_not_described_permits_nothing(catalogue):
    base = catalogue.base("somebody-elses-model")
    assert all(
        base.terms.rule(use, commercial=money).effect is Verdict.DENY
        for use in Use
        for money in (True, False)
    )
    assert "Zlib" not in catalogue.licenses
    with pytest.raises(UsageError, match="no profile"):
        catalogue.profile("generous")


def test_sprig_is_the_apache_row(catalogue):
    base = catalogue.base("sprig")
    effects = [base.terms.rule(use, commercial=True).effect for use in Use]
    assert [effect.value[0:2] for effect in effects] == ["AL", "DU", "DU", "AL", "AL"]
    assert base.license == "Apache-2.0"
    assert "MIT" in base.terms.duties["notice"]
