"""Is every line of the configs read, does one line matter, and are broken files refused?"""

import shutil

import pytest

from picdeed.core.errors import PicdeedError, UsageError
from picdeed.core.resources import bundled
from picdeed.rights.catalogue import load_catalogue
from picdeed.rights.claims import ClaimSource, license_claim
from picdeed.rights.decide import conclude
from picdeed.rights.expression import parse_license
from picdeed.rights.terms import Condition, Rule
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
        ("policies/tdm-eu.toml", 'not-checked = "REVIEW"', 'not-checked = "DUTIES"'),
        ("policies/tdm-eu.toml", 'no-license = "REVIEW"', 'no-license = "ALLOW"'),
        ("policies/tdm-eu.toml", "no-license", "no-licence"),
        ("licenses/cc-by.toml", "text-sha256", "text-sha265"),
        ("licenses/cc-by.toml", 'text-sha256 = "', 'text-sha256 = "0'),
        ("licenses/cc-by.toml", "[license.rules]", 'text-file = "../../LICENSE"\n[license.rules]'),
        ("licenses/stock.toml", "text-reason", "text-source"),
        ("licenses/stock.toml", "[license.rules]", "[license.noncommercial]\n[license.rules]"),
        ("models/sprig.toml", 'name = "sprig"', "names = []"),
        ("models/sprig.toml", 'name = "sprig"', 'name = "sprig"\nnames = ["twig"]'),
        ("models/sprig.toml", 'name = "sprig"', 'name = "scratch"'),
        ("models/stability-community-2024.toml", "below = 1000000", 'below = "1000000"'),
        ("models/stability-community-2024.toml", "below = 1000000", "below = true"),
        ("models/stability-community-2024.toml", "below = 1000000", "below = nan"),
        ("models/stability-community-2024.toml", "below = 1000000", "above = 1000000"),
        ("models/stability-community-2024.toml", ", otherwise = {", ", else = {"),
        ("models/stability-community-2024.toml", "when = {", "if = {"),
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
            named = (text.id, text.name, "Public Domain Mark 1.0")
            if text.id in catalogue.licenses:
                assert rule.clause.startswith(named), rule.clause
            assert rule.clause
            assert rule.effect is not Verdict.ALLOW or rule.certainty is Certainty.SETTLED
            if rule.effect is Verdict.DUTIES:
                assert rule.duties, (text.id, rule.clause)


def test_share_alikes_say_what_an_adapter_may_carry(catalogue):
    for text in catalogue.licenses.values():
        alike = "share-alike" in text.duties or text.id == "OFL-1.1"
        assert bool(text.release_as) == alike == bool(text.release_clause), text.id
        assert set(text.release_as) <= set(catalogue.licenses)


def test_a_condition_is_read_with_its_otherwise(catalogue):
    terms = catalogue.base("sd3.5").terms
    for use, rule in terms.rules.items():
        assert rule.condition == Condition("annual-revenue-usd", 1_000_000.0)
        assert rule.otherwise is not None
        assert rule.otherwise.effect is Verdict.DENY
        assert "III" in rule.otherwise.clause
        assert terms.rule(use, commercial=True) is rule
    assert not [rule for rule in terms.non_commercial.values() if rule.condition]


def test_one_base_licence_has_many_names(catalogue):
    one, other = catalogue.base("sd15"), catalogue.base("runwayml/stable-diffusion-v1-5")
    assert (one.name, other.name) == ("sd15", "runwayml/stable-diffusion-v1-5")
    assert one.terms == other.terms
    assert one.terms.name == "CreativeML Open RAIL-M (August 22, 2022)"


def test_a_base_under_a_licence_of_the_catalogue_shares_its_text(catalogue):
    apache = catalogue.licenses["Apache-2.0"]
    for name in ("sprig", "apache-2.0", "flux.1-schnell"):
        terms = catalogue.base(name).terms
        assert terms.text_sha256 == apache.text_sha256
        assert terms.text_file == apache.text_file is not None
    assert not catalogue.base("scratch").terms.text_sha256


def test_no_cell_allows_without_being_settled_whatever_the_profile(catalogue):
    sure = Rule(Verdict.ALLOW, Certainty.SETTLED, "c")
    for profile in catalogue.profiles.values():
        assert profile.effect(sure) is Verdict.ALLOW
        for certainty in (Certainty.CONTESTED, Certainty.UNSTATED):
            assert profile.effect(Rule(Verdict.ALLOW, certainty, "c")) is not Verdict.ALLOW


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


def test_terms_follow_the_licence_and_no_name(catalogue):
    for base in catalogue.bases.values():
        found = catalogue.under(base.license)
        assert (found.name, found.license) == (base.license, base.license)
        assert found.terms.id == base.license
        assert {use: rule.effect for use, rule in found.terms.rules.items()} == {
            use: rule.effect for use, rule in base.terms.rules.items()
        }
    # three files speak of Apache-2.0; the one that is named as it is speaks for everybody's base
    assert "sprig" not in catalogue.under("Apache-2.0").terms.duties["notice"]
    assert "sprig" in catalogue.base("sprig").terms.duties["notice"]


@pytest.mark.parametrize(
    ("license_id", "said"),
    [
        ("NOASSERTION", "no licence is on record"),
        ("MIT", "no file in configs/models"),  # for pictures there are rules, for weights none
        ("Apache-2.0 OR MIT", "no file in configs/models"),
        ("sdxl", "no file in configs/models"),
        ("", "no file in configs/models"),
    ],
)
def test_weights_under_a_licence_that_nobody_described_permit_nothing(catalogue, license_id, said):
    terms = catalogue.under(license_id).terms
    assert terms.id == license_id
    for use in Use:
        for commercial in (True, False):
            rule = terms.rule(use, commercial=commercial)
            assert rule.effect is Verdict.DENY
            assert said in rule.clause


def test_two_files_about_one_licence_need_one_that_speaks_for_all(tmp_path):
    shutil.copytree(bundled("configs"), tmp_path / "configs")
    models = tmp_path / "configs" / "models"
    (models / "apache-2.0.toml").unlink()
    with pytest.raises(PicdeedError, match=r"several files describe Apache-2\.0"):
        load_catalogue(tmp_path / "configs")


def test_short_names_settle_nothing(catalogue):
    tags = {tag: base.license for base in catalogue.bases.values() for tag in base.tags}
    assert {"openrail", "openrail++", "stabilityai-ai-community"} <= set(tags)
    assert not [tag for tag in tags if parse_license(tag, catalogue.aliases).expression]
