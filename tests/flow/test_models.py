"""Is a base that a person brings recorded as it is, under the licence it has, or refused?"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from picdeed.core.errors import IntegrityError, PicdeedError, UsageError
from picdeed.core.resources import bundled
from picdeed.flow import pipeline
from picdeed.flow.basefacts import LONGEST_DEED, LONGEST_NOTICE, Person
from picdeed.flow.basefiles import NO_DEED
from picdeed.flow.baseviews import list_models, show_model
from picdeed.flow.models import Added, add_model
from picdeed.registry import ledger
from picdeed.registry.session import Registry
from picdeed.testing import tiny_model

RAIL_PP = "LicenseRef-picdeed-openrail-plus-plus-m-2023-07-26"
RAIL_TEXT = "CreativeML Open RAIL++-M License\ndated July 26, 2023\n\nwords\n"
ADA = Person("apache-2.0", "Ada", "the card is about the code")
Make = Callable[..., Path]


def card(said: str) -> dict[str, str]:
    return {"README.md": f"---\nlicense: {said}\n---\n# A base\n"}


def add(registry: Registry, folder: Path, **options) -> Added:
    return add_model(registry, pipeline.rules(), folder, **options)


def events(registry: Registry) -> list[str]:
    with registry.read() as session:
        kinds = [event.kind for event in ledger.events(session)]
    return [kind for kind in kinds if kind.startswith("models.")]


def names(registry: Registry) -> list[str]:
    return [one.name for one in list_models(registry, pipeline.rules())]


def deed(folder: Path, **changes: object) -> None:
    from picdeed.diffusion.models import check_base

    said = {
        "name": "mine", "license": "Apache-2.0", "sha256": check_base(folder).sha256,
        "snapshot": {"id": "snp_" + "1" * 64, "root": "1" * 64, "members": 3},
    }  # fmt: skip
    (folder / "deed.json").write_text(json.dumps(said | changes))


def test_a_base_with_its_papers(registry: Registry, make_model: Make) -> None:
    text = (bundled("configs") / "licenses/texts/Apache-2.0.txt").read_text()
    folder = make_model(**card("apache-2.0"), LICENSE=text, NOTICE="by somebody\n")
    deed(folder)
    done = add(registry, folder, name="my-style")
    model = done.model
    assert (done.changed, done.why_open) == (("added",), None)
    assert (model.name, model.license, model.path) == ("my-style", "Apache-2.0", folder)
    assert [(one["voice"], one["where"], one["license"]) for one in model.license_facts] == [
        ("card", "README.md", "Apache-2.0"),
        ("text", "LICENSE", "Apache-2.0"),
        ("deed", "deed.json", "Apache-2.0"),
    ]
    assert registry.blobs.read(model.license_facts[1]["sha256"]).decode() == text
    assert model.deed == json.loads((folder / "deed.json").read_text())
    assert (model.deed_note, model.is_there) == (None, True)
    assert model.verdicts == {
        "train": "ALLOW", "share-adapter": "DUTIES", "sell-adapter": "DUTIES",
        "publish-outputs": "ALLOW", "sell-outputs": "ALLOW",
    }  # fmt: skip
    assert show_model(registry, pipeline.rules(), model.id[:12]) == model
    assert pipeline.audit(registry, pipeline.trust_of(registry)).ok
    assert not list((registry.root / "models").glob("*"))


def test_a_base_without_papers_is_added_and_may_be_used_for_nothing(
    registry: Registry, make_model: Make
) -> None:
    done = add(registry, make_model())
    assert (done.model.name, done.model.license) == ("my-style", "NOASSERTION")
    assert "names a licence" in (done.why_open or "")
    assert set(done.model.verdicts.values()) == {"DENY"}
    assert (done.model.deed, done.model.deed_note) == (None, NO_DEED)
    assert done.model.license_facts == ()


def refused(registry: Registry, folder: Path, match: str, **options) -> PicdeedError:
    before = names(registry)
    with pytest.raises((UsageError, IntegrityError), match=match) as told:
        add(registry, folder, **options)
    assert "nothing was recorded" in told.value.message.casefold()
    assert names(registry) == before
    assert not events(registry)
    return told.value


@pytest.mark.parametrize(
    ("file", "data", "named"),
    [
        ("vae/config.json", None, r"vae.config\.json"),
        ("unet/diffusion_pytorch_model.safetensors", None, "diffusion_pytorch_model"),
        ("unet/diffusion_pytorch_model.safetensors", b"\x80\x04K\x01.", "safetensors"),
        ("unet/diffusion_pytorch_model.bin", b"\x80\x04K\x01.", r"\.bin could run code"),
        ("unet/config.json", b'{"norm_num_groups": 0}', r"unet.config\.json"),
        ("unet/config.json", b'{"sample_size": 1e400}', r"unet.config\.json"),
        ("tokenizer/tokenizer.json", b"{", r"tokenizer\.json"),
        ("deed.json", b"{", r"deed\.json"),
        ("deed.json", b'{"name": "x"}', r"deed\.json"),
        ("deed.json", b'{"name": "x", "sha256": 1, "license": "MIT"}', r"deed\.json"),
        ("README.md", b"---\nlicense: [mit\n---\n", r"README\.md"),
    ],
)
def test_a_broken_folder_is_refused_by_file_and_reason(
    registry: Registry, make_model: Make, file: str, data: bytes | None, named: str
) -> None:
    folder = make_model()
    if data is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(data)
    refused(registry, folder, named)


@pytest.mark.parametrize("wrong", ["shape", "nan"])
def test_wrong_weights_are_refused_by_tensor(
    registry: Registry, make_model: Make, wrong: str
) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    path = make_model() / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(path)
    size = len(tensors["conv_in.bias"])
    bad = torch.zeros(3) if wrong == "shape" else torch.full((size,), float("nan"))
    save_file({**tensors, "conv_in.bias": bad}, path)
    refused(registry, path.parent.parent, r"unet.*conv_in\.bias")


def test_no_folder_and_no_utf8_are_refused(
    registry: Registry, make_model: Make, tmp_path: Path
) -> None:
    refused(registry, tmp_path / "none", "no base")
    refused(registry, make_model("b\udcffse"), "UTF-8")


@pytest.mark.parametrize(
    ("files", "both"),
    [
        ({**card("apache-2.0"), "LICENSE.txt": RAIL_TEXT}, ("README.md", "LICENSE.txt")),
        ({"LICENSE": "MIT License\n", "COPYING": RAIL_TEXT}, ("COPYING", "LICENSE")),
        (card("[mit, apache-2.0]"), ("README.md", "MIT")),
    ],
)
def test_papers_that_contradict_each_other_are_refused(
    registry: Registry, make_model: Make, files: dict[str, str], both: tuple[str, str]
) -> None:
    told = refused(registry, make_model(**files), "does not agree")
    assert all(one in told.message for one in both)
    assert "--license" in told.hint


def test_a_deed_that_contradicts_the_card_is_refused(registry: Registry, make_model: Make) -> None:
    folder = make_model(**card("mit"))
    deed(folder)
    refused(registry, folder, r"README\.md names MIT, deed\.json names Apache-2\.0")


@pytest.mark.parametrize("person", [Person("apache-2.0"), Person("apache-2.0", "Ada"), Person("apache-2.0", "", "why")])  # fmt: skip
def test_overriding_takes_a_name_and_a_reason(
    registry: Registry, make_model: Make, person: Person
) -> None:
    told = refused(
        registry, make_model(**card("creativeml-openrail-m")), "--license", person=person
    )
    assert "--because" in told.hint


def test_a_person_answers_for_what_contradicts_itself(registry: Registry, make_model: Make) -> None:
    folder = make_model(**card("apache-2.0"), **{"LICENSE.txt": RAIL_TEXT})
    done = add(registry, folder, person=ADA)
    assert done.model.license == "Apache-2.0"
    word = done.model.license_facts[-1]
    assert (word["voice"], word["where"], word["because"]) == ("person", "Ada", ADA.because)
    assert len(done.model.license_facts) == 3
    # once said, it holds: neither the same again nor another place asks for it anew
    assert add(registry, folder).changed == ()
    moved = folder.rename(folder.with_name("elsewhere"))
    assert add(registry, moved).changed == ("moved",)
    assert add(registry, moved).model.license == "Apache-2.0"


def test_a_text_that_nobody_read_leaves_the_licence_open(
    registry: Registry, make_model: Make
) -> None:
    folder = make_model(**card("apache-2.0"), LICENSE="My terms: never.\n")
    refused(registry, folder, "My terms", person=Person("apache-2.0"))
    done = add(registry, folder)
    assert done.model.license == "NOASSERTION"
    assert "My terms: never." in (done.why_open or "")
    unread = done.model.license_facts[1]
    assert (unread["license"], len(unread["sha256"])) == (None, 64)
    assert add(registry, folder, person=ADA).model.license == "Apache-2.0"


def test_a_word_alone_is_enough_where_nobody_else_speaks(
    registry: Registry, make_model: Make
) -> None:
    done = add(registry, make_model(), person=Person("CreativeML Open RAIL++-M (July 26, 2023)"))
    assert done.model.license == RAIL_PP
    assert done.model.license_facts[0]["where"] == "somebody who gave no name"
    assert done.model.verdicts["train"] == "DUTIES"


@pytest.mark.parametrize("said", ["openrail++", "free", "", "NOASSERTION", "NONE", "scratch"])
def test_a_word_that_names_no_licence_is_refused(
    registry: Registry, make_model: Make, said: str
) -> None:
    refused(registry, make_model(), "names no licence", person=Person(said, "Ada", "I think so"))


def test_a_licence_on_record_yields_to_a_named_person_alone(
    registry: Registry, make_model: Make
) -> None:
    folder = make_model()
    add(registry, folder)
    (folder / "README.md").write_text(card("apache-2.0")["README.md"])
    for person in (None, Person("apache-2.0")):
        with pytest.raises(UsageError, match="on record under NOASSERTION"):
            add(registry, folder, person=person)
    done = add(registry, folder, person=ADA)
    assert (done.changed, done.model.license) == (("told",), "Apache-2.0")
    assert add(registry, folder, person=ADA).changed == ()
    assert events(registry) == ["models.added", "models.told"]


def test_a_deed_of_other_weights_is_refused(registry: Registry, make_model: Make) -> None:
    folder = make_model()
    deed(folder, sha256="0" * 64)
    with pytest.raises(IntegrityError, match=r"deed\.json is about other weights"):
        add(registry, folder)
    refused(registry, folder, "Nothing was recorded")


def test_a_deed_that_comes_later_is_kept_and_not_exchanged(
    registry: Registry, make_model: Make
) -> None:
    folder = make_model(**card("apache-2.0"))
    add(registry, folder)
    deed(folder)
    done = add(registry, folder)
    assert (done.changed, done.model.deed["name"]) == (("told",), "mine")
    deed(folder, name="another")
    with pytest.raises(UsageError, match="another deed"):
        add(registry, folder)
    (folder / "deed.json").unlink()
    assert add(registry, folder).changed == ()
    assert show_model(registry, pipeline.rules(), "my-style").deed["name"] == "mine"


def test_a_deed_cannot_say_what_the_registry_recorded(registry: Registry, make_model: Make) -> None:
    folder = make_model()
    deed(folder, license="NOASSERTION", recorded={"license_facts": [{"license": "Apache-2.0"}]})
    done = add(registry, folder)
    assert (done.model.license, done.model.license_facts) == ("NOASSERTION", ())
    assert "recorded" not in done.model.deed
    assert add(registry, folder).changed == ()


def test_what_is_too_long_is_refused(registry: Registry, make_model: Make) -> None:
    folder = make_model()
    (folder / "NOTICE").write_bytes(b"x" * (LONGEST_NOTICE + 1))
    refused(registry, folder, "NOTICE is longer")
    (folder / "NOTICE").unlink()
    deed(folder, note="x" * LONGEST_DEED)
    refused(registry, folder, r"deed\.json is longer")


@pytest.mark.parametrize("name", ["", "a/b", "../x", "bas_12", ".hidden", "x" * 101, "a b", "sprig", "scratch"])  # fmt: skip
def test_a_name_that_cannot_be_one(registry: Registry, make_model: Make, name: str) -> None:
    refused(registry, make_model(), "name|calls", name=name)


def test_the_same_weights_are_one_base(registry: Registry, make_model: Make) -> None:
    folder = make_model()
    first = add(registry, folder, name="one")
    again = add(registry, folder, name="one")
    assert (again.changed, again.model) == ((), first.model)
    with pytest.raises(UsageError, match="weights of one"):
        add(registry, folder, name="two")
    assert add(registry, folder).model.name == "one"  # nobody asked for another name
    assert events(registry) == ["models.added"]


def test_a_name_of_other_weights_is_taken(
    registry: Registry, make_model: Make, tmp_path: Path
) -> None:
    add(registry, make_model(), name="one")
    other = tiny_model(tmp_path / "other", seed=5)
    with pytest.raises(UsageError, match=r"one is the name of bas_.*nothing was recorded"):
        add(registry, other, name="one")
    assert names(registry) == ["one", "sprig"]


def test_a_copy_of_what_comes_with_picdeed_is_told_as_that(
    registry: Registry, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(bundled("models") / "sprig", tmp_path / "copy"))
    done = add(registry, copy)
    assert (done.model.name, done.changed) == ("sprig", ())
    assert done.model.path == bundled("models") / "sprig"
    with pytest.raises(UsageError, match="weights of sprig"):
        add(registry, copy, name="mine")
    with pytest.raises(UsageError, match="comes with picdeed"):
        add(registry, copy, person=ADA)
    assert not events(registry)


def test_a_folder_that_moved_is_told_and_recorded_anew(
    registry: Registry, make_model: Make
) -> None:
    folder = make_model()
    add(registry, folder)
    moved = folder.rename(folder.with_name("elsewhere"))
    trust = pipeline.trust_of(registry)
    (problem,) = pipeline.audit(registry, trust).problems
    assert (problem.kind, str(folder) in problem.message) == ("base-missing", True)
    assert "picdeed models add" in problem.message
    assert not show_model(registry, pipeline.rules(), "my-style").is_there
    done = add(registry, moved)
    assert (done.changed, done.model.path, done.model.is_there) == (("moved",), moved, True)
    assert pipeline.audit(registry, trust).ok


def test_a_changed_byte_is_found(registry: Registry, make_model: Make) -> None:
    folder = make_model()
    base = add(registry, folder).model.id
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))
    (problem,) = pipeline.audit(registry, pipeline.trust_of(registry), base).problems
    assert (problem.subject, problem.kind) == (base, "base-altered")
    # these are other weights: they cannot slip in under the old name
    with pytest.raises(UsageError, match="has other weights"):
        add(registry, folder, name="my-style")
