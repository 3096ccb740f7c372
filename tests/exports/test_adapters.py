"""Does an exported adapter draw the same elsewhere, with its papers, and is a fallen one kept?"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline

from picdeed.cli import main
from picdeed.core.errors import Denied, IntegrityError, UsageError
from picdeed.core.events import Event, Progress
from picdeed.core.ids import sha256, sha256_file
from picdeed.diffusion.adapterkeys import SETTINGS, kohya_tensors, layers_of, peft_tensors
from picdeed.diffusion.cache import embed
from picdeed.diffusion.lora import load_adapter
from picdeed.diffusion.models import load_base
from picdeed.diffusion.recipe import load_recipe
from picdeed.diffusion.tensors import read_safetensors, safetensors_bytes
from picdeed.diffusion.train import train
from picdeed.diffusion.worn import put_on
from picdeed.exports.adapters import Form, export_adapter, read_back
from picdeed.flow import pipeline
from picdeed.flow.models import add_model
from picdeed.registry import ledger, snapshots, subjects
from picdeed.registry.decisions import Decision
from picdeed.registry.runs import Adapter, Run, Standing
from picdeed.registry.session import Registry, open_registry
from picdeed.rights.verdict import Use
from picdeed.testing import tiny_model, tiny_pictures, tiny_registry

QUICK = (
    *("steps=4", "batch=2", "rank=2", "warmup_steps=0", "eval_noises=1", "caption_prefix=ink, "),
    *("text_rank=3", "text_rate=0.5"),
)


def here(folder: Path, *, progress: Progress) -> None:
    """Trains in this process: a new one imports torch for seconds."""
    train(folder)


@dataclass(frozen=True)
class Life:
    place: Path
    snapshot: str
    run: str
    adapter: str


@pytest.fixture(scope="module")
def lived_once(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """A run of four steps on a tiny base, decided for passing its adapter on."""
    place = tmp_path_factory.mktemp("exported")
    registry = tiny_registry(place / ".picdeed")
    (tiny_model(place / "base") / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    add_model(registry, pipeline.rules(), place / "base", name="my-style")
    row = {"license": "CC-BY-4.0", "author": "A. Author"}
    pipeline.register(registry, tiny_pictures(place / "pictures", 6, row), "drawings")
    frozen = pipeline.freeze(registry, "drawings").snapshot or ""
    uses = [Use.TRAIN, Use.SHARE_ADAPTER]
    recipe = load_recipe("demo", QUICK)
    done = pipeline.fine_tune(registry, frozen, "my-style", recipe, here, uses=uses)
    registry.close()
    assert done.adapter is not None
    return Life(place, frozen, done.run, done.adapter["id"])


@pytest.fixture
def lived(lived_once: Life, tmp_path: Path) -> Registry:
    shutil.copytree(lived_once.place / ".picdeed", tmp_path / "at" / ".picdeed")
    shutil.copytree(lived_once.place / "base", tmp_path / "at" / "base")
    return open_registry(tmp_path / "at" / ".picdeed")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def own(registry: Registry, life: Life) -> Path:
    with registry.read() as session:
        return registry.root / subjects.require(session, Adapter, life.adapter).path


def change(registry: Registry, life: Life, **cells: str) -> None:
    with registry.write() as session:
        row = subjects.require(session, Adapter, life.adapter)
        for name, value in cells.items():
            setattr(row, name, value)
        ledger.write(session, Event.TRAIN_FINISHED, {"adapter": row.id}, [row])


def predicted(unet: Any) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    latent = torch.randn(2, 4, 8, 8, generator=generator)
    prompt = torch.randn(2, 16, 16, generator=generator)
    with torch.no_grad():
        said = unet(latent, torch.tensor([10, 900]), encoder_hidden_states=prompt).sample
    assert isinstance(said, torch.Tensor)
    return said


@pytest.mark.parametrize("form", Form)
def test_diffusers_predicts_the_same_from_every_form(
    lived: Registry, lived_once: Life, out: Path, form: Form
) -> None:
    done = export_adapter(lived, form, lived_once.adapter, out)
    base = load_base(lived_once.place / "base")
    before, read = predicted(base.network), embed(base, "ink")
    loaded = StableDiffusionPipeline(
        **base.parts,
        scheduler=None,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    loaded.load_lora_weights(done.path.parent, weight_name=done.path.name)
    adapter = load_adapter(own(lived, lived_once))
    dressed = load_base(lived_once.place / "base")
    put_on(dressed, adapter)
    ours = dressed.network
    assert (done.rank, done.alpha) == (2, 32.0)  # whoever loses alpha draws another picture
    assert torch.equal(predicted(loaded.unet), predicted(ours))
    assert (predicted(ours) - before).abs().max() > 1e-2
    heard = embed(dressed, "ink")["prompt_embeds"]
    assert torch.equal(embed(base, "ink")["prompt_embeds"], heard)
    assert (heard - read["prompt_embeds"]).abs().max() > 1e-3


def test_comfyui_gets_kohyas_bytes(lived: Registry, lived_once: Life, out: Path) -> None:
    kohya, comfyui, peft = (export_adapter(lived, form, lived_once.run, out) for form in Form)
    assert kohya.sha256 == comfyui.sha256 != peft.sha256
    assert kohya.notices == comfyui.notices == peft.notices
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [f"{lived_once.adapter[:12]}-{form}.safetensors" for form in Form]
        + [kohya.notices.name if kohya.notices else ""]
    )


def test_the_header_says_what_is_true_and_keeps_the_papers(
    lived: Registry, lived_once: Life, out: Path
) -> None:
    done = export_adapter(lived, Form.KOHYA, lived_once.adapter, out)
    tensors, said = read_safetensors(done.path)
    papers = load_adapter(own(lived, lived_once)).metadata
    for key, text in papers.items():
        if key.startswith("picdeed.") and key != "picdeed.notices":
            assert said[key] == text, key
    data = done.path.read_bytes()
    digest = sha256(data[8 + int.from_bytes(data[:8], "little") :])
    with lived.read() as session:
        row = subjects.require(session, Adapter, lived_once.adapter)
    plan = json.loads((own(lived, lived_once).parent / "plan.json").read_text())
    count = len(plan["members"])
    assert (
        said.items()
        >= {
            "modelspec.sai_model_spec": "1.0.1",
            "modelspec.architecture": "my-style/lora",
            "modelspec.implementation": "diffusers",
            "modelspec.resolution": "32x32",
            "modelspec.prediction_type": "v",
            "modelspec.license": "Apache-2.0 AND CC-BY-4.0",
            "modelspec.date": row.created_at,
            "modelspec.hash_sha256": f"0x{digest}",
            "modelspec.trigger_phrase": "ink",
            "sshs_model_hash": digest,
            "ss_network_module": "networks.lora",
            "ss_network_dim": "2",
            "ss_network_alpha": "32.0",
            "ss_network_args": '{"conv_dim": "2", "conv_alpha": "32.0"}',
            "ss_learning_rate": "0.003",
            "ss_unet_lr": "0.003",
            "ss_text_encoder_lr": "0.0015",
            "ss_steps": "4",
            "ss_max_train_steps": "4",
            "ss_seed": "0",
            "ss_base_model_version": "my-style",
            "ss_num_train_images": str(count),
            "picdeed.adapter": lived_once.adapter,
            "picdeed.adapter_sha256": row.sha256,
            "picdeed.base_license": "Apache-2.0",
            "picdeed.decision_verdict": "DUTIES",
            "picdeed.decision_uses": '["share-adapter", "train"]',
        }.items()
    )
    tags = json.loads(said["ss_tag_frequency"])[lived_once.snapshot[:12]]
    assert sum(tags.values()) == len(tags) == count
    assert set(tags) <= {f"drawing {n}" for n in range(1, 7)}
    # not there at all: what is not so, or what diffusers would believe before the alphas
    assert not {"ss_v2", "ss_sd_model_hash", "ss_min_snr_gamma", SETTINGS} & said.keys()
    assert tensors["lora_unet_conv_in.alpha"] == 32.0
    assert tensors["lora_te_text_model_encoder_layers_0_self_attn_q_proj.alpha"] == 48.0


def test_the_notices_that_the_header_names_lie_beside(
    lived: Registry, lived_once: Life, out: Path
) -> None:
    done = export_adapter(lived, Form.PEFT, lived_once.adapter, out / "style.safetensors")
    assert done.path == out / "style.safetensors"
    assert done.notices is not None
    said = read_safetensors(done.path)[1]
    assert done.notices.parent == out
    assert said["picdeed.notices"] == done.notices.name
    assert said["picdeed.notices_sha256"] == sha256_file(done.notices)
    assert "A. Author" in done.notices.read_text()


def test_an_adapter_from_before_there_were_notices_goes_alone(
    lived: Registry, lived_once: Life, out: Path
) -> None:
    path = own(lived, lived_once)
    tensors, said = read_safetensors(path)
    old = {key: text for key, text in said.items() if "notices" not in key}
    path.write_bytes(safetensors_bytes(tensors, old))
    change(lived, lived_once, sha256=sha256_file(path))
    done = export_adapter(lived, Form.KOHYA, lived_once.adapter, out)
    assert done.notices is None
    assert [found.name for found in out.iterdir()] == [done.path.name]


def test_the_same_again_writes_nothing(lived: Registry, lived_once: Life, out: Path) -> None:
    done = export_adapter(lived, Form.KOHYA, lived_once.run[:10], out)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert export_adapter(lived, Form.KOHYA, lived_once.adapter[:10], out) == done
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before


@pytest.mark.parametrize("taken", ["weights", "notices"])
def test_another_file_in_its_place_is_refused_and_nothing_is_written(
    lived: Registry, lived_once: Life, out: Path, taken: str
) -> None:
    done = export_adapter(lived, Form.KOHYA, lived_once.adapter, out)
    assert done.notices is not None
    mine, other = (done.path, done.notices) if taken == "weights" else (done.notices, done.path)
    mine.write_text("mine")
    other.unlink()
    with pytest.raises(UsageError, match=f"{mine.name} holds something else"):
        export_adapter(lived, Form.KOHYA, lived_once.adapter, out)
    assert (mine.read_text(), list(out.iterdir())) == ("mine", [mine])


def test_a_place_that_is_none_is_refused(lived: Registry, lived_once: Life, out: Path) -> None:
    (out / "link.safetensors").symlink_to(out / "nowhere")
    for place, why in (
        (out / "missing" / "a.safetensors", "is no folder"),
        (out / "missing", "no tool would take"),
        (out / "a.txt", "no tool would take"),
        (out / "link.safetensors", "no plain file"),
        (Path("/proc/a.safetensors"), "cannot be written"),  # nobody, root neither, may
    ):
        with pytest.raises(UsageError, match=why):
            export_adapter(lived, Form.KOHYA, lived_once.adapter, place)
    assert not [path for path in out.iterdir() if not path.is_symlink()]


def test_a_suspended_adapter_stays(lived: Registry, lived_once: Life, out: Path) -> None:
    with lived.read() as session:
        target = snapshots.members(session, lived_once.snapshot)[0].picture_id
    revoked = pipeline.withdraw(lived, target, pipeline.Ground.TAKEDOWN)
    with pytest.raises(Denied, match=r"is suspended: .* Nothing was exported") as refused:
        export_adapter(lived, Form.KOHYA, lived_once.run, out)
    assert refused.value.revocation == revoked.revocation
    change(lived, lived_once, state=Standing.WITHDRAWN)
    with pytest.raises(Denied, match="is withdrawn"):
        export_adapter(lived, Form.PEFT, lived_once.adapter, out)
    assert not list(out.iterdir())


def test_an_adapter_of_a_fallen_base_stays(lived: Registry, lived_once: Life, out: Path) -> None:
    revoked = pipeline.withdraw(lived, "my-style", pipeline.Ground.CONTRACT_ENDED)
    # whatever became of the adapter: its base alone forbids it
    change(lived, lived_once, state=Standing.GOOD)
    with pytest.raises(Denied, match="Base my-style was revoked") as refused:
        export_adapter(lived, Form.COMFYUI, lived_once.adapter, out)
    assert (refused.value.revocation, list(out.iterdir())) == (revoked.revocation, [])


def test_an_altered_or_missing_adapter_is_not_passed_on(
    lived: Registry, lived_once: Life, out: Path
) -> None:
    path = own(lived, lived_once)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match="not what was recorded"):
        export_adapter(lived, Form.KOHYA, lived_once.adapter, out)
    path.unlink()
    with pytest.raises(IntegrityError, match="is gone"):
        export_adapter(lived, Form.KOHYA, lived_once.adapter, out)
    assert not list(out.iterdir())


@pytest.mark.parametrize("lost", ["alpha", "layer", "bytes"])
def test_what_does_not_read_back_is_removed(
    lived: Registry, lived_once: Life, out: Path, lost: str
) -> None:
    adapter = load_adapter(own(lived, lived_once))
    layers = layers_of(adapter.tensors, adapter.metadata)
    tensors = kohya_tensors(layers)
    if lost == "alpha":  # as the converter of diffusers writes it
        tensors = {k: torch.tensor(2) if k.endswith("alpha") else t for k, t in tensors.items()}
    if lost == "layer":
        tensors = peft_tensors({name: layers[name] for name in list(layers)[1:]})
    path = out / "a.safetensors"
    path.write_bytes(safetensors_bytes(tensors, {}))
    digest = "0" * 64 if lost == "bytes" else sha256_file(path)
    with pytest.raises(IntegrityError, match="did not read back as the adapter"):
        read_back(path, layers, digest)
    assert not path.exists()


@pytest.fixture
def run(
    lived: Registry, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    monkeypatch.chdir(lived.root.parent)

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["picdeed", "export", *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capfd.readouterr().out

    return run


def test_the_command_gives_one_document_or_tells_a_person(
    run: Callable[..., tuple[int, str]], lived: Registry, lived_once: Life
) -> None:
    code, text = run("kohya", lived_once.adapter[:12], "--json")
    done = json.loads(text)
    assert (code, done["schema"]) == (0, "picdeed.export/1")
    path = lived.root.parent / f"{lived_once.adapter[:12]}-kohya.safetensors"
    assert (done["path"], done["sha256"]) == (str(path), sha256_file(path))
    assert (done["license"], done["uses"]) == (
        "Apache-2.0 AND CC-BY-4.0",
        ["train", "share-adapter"],
    )
    code, text = run("peft", lived_once.run, "--to", "style.safetensors")
    assert (code, "rank 2, alpha 32; Apache-2.0 AND CC-BY-4.0" in text) == (0, True)
    assert "was not asked" not in text
    with lived.write() as session:
        found = subjects.require(session, Run, lived_once.run)
        decided = subjects.require(session, Decision, found.decision_id)
        decided.uses = ["train"]
        ledger.write(session, Event.TRAIN_FINISHED, {"run": found.id}, [decided])
    code, text = run("peft", lived_once.run, "--to", "other.safetensors")
    assert (code, "decided for train; whether it may be passed on was not asked" in text) == (
        0,
        True,
    )
    assert run("kohya", lived_once.snapshot, "--json")[0] == 2
    path.write_text("mine")
    assert run("kohya", lived_once.adapter, "--json")[0] == 2
