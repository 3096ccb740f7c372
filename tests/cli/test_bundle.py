"""Do bundle, train BUNDLE and import keep the contract, for scripts and for people?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bundled_runs import BASE, World, here, make_world, never
from called import called

from picdeed.flow.away import train_away
from picdeed.jobs import launch

Run = Callable[..., tuple[int, Any]]
QUICK = [word for one in ("steps=2", "batch=2", "rank=2", "warmup_steps=0", "eval_noises=1")
         for word in ("--set", one)]  # fmt: skip
TRAIN = {
    "schema", "run", "state", "adapter", "steps", "steps_per_second", "loss", "loss_reason",
    "evidence",
    "distinct_pictures", "effective_pictures", "kin_groups", "leaks", "seconds", "resumed_from",
    "error", "folder", "without_caption", "counterfactual_of", "without", "retrained_as",
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("bundles"))


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """In this process, in a folder without a registry. The trainer's own process is launch's."""
    away = world.registry.parent / "away"
    away.mkdir(exist_ok=True)
    monkeypatch.chdir(away)

    def run(*arguments: str, home: bool = False, text: bool = False) -> tuple[int, Any]:
        where = ("--registry", str(world.registry)) if home else ()
        return called(monkeypatch, capfd, *arguments, *where, text=text)

    return run


def test_there_and_back(run: Run, world: World) -> None:
    given = (world.snapshot[:14], "--decision", world.decision[:14], "--base", BASE, *QUICK)
    code, made = run("bundle", *given, "--to", "job.picdeed", home=True)
    assert (code, made["schema"], made["pictures"], made["steps"]) == (0, "picdeed.bundle/1", 6, 2)
    assert made["path"] == str(Path("job.picdeed").absolute())
    assert (made["decision"], made["snapshot"]) == (world.decision, world.snapshot)
    assert set(made["signed_by"]) == {"fingerprint", "subject", "development"}
    code, listed = run("runs", "list", home=True)
    assert [(one["id"], one["state"]) for one in listed["runs"]] == [(made["run"], "queued")]
    code, told = run("bundle", *given, "--to", "job.picdeed", home=True, text=True)
    assert (code, made["signed_by"]["fingerprint"] in told) == (0, True)
    assert f"picdeed train job.picdeed --base FOLDER-OF-{BASE}" in told

    train_away(Path("job.picdeed"), here, base=str(world.base))
    code, trained = run("train", "job.picdeed")
    assert (code, trained["schema"], trained["state"]) == (0, "picdeed.train/1", "succeeded")
    assert set(trained) == TRAIN | {"bundle", "signed_by", "file"}
    assert (trained["run"], trained["bundle"]) == (made["run"], made["bundle"])
    assert (trained["leaks"], trained["adapter"]["state"]) == (None, None)
    assert trained["signed_by"] == made["signed_by"]
    code, told = run("train", "job.picdeed", text=True)
    assert (code, "Signed by" in told, "picdeed import FILE" in told) == (0, True, True)
    assert "generate" not in told

    code, brought = run("import", trained["file"], home=True)
    assert (code, brought["schema"], brought["new"]) == (0, "picdeed.import/1", True)
    assert set(brought) == TRAIN | {"bundle", "new", "standing", "revocations"}
    assert brought["adapter"]["id"] == trained["adapter"]["id"]
    code, shown = run("runs", "show", made["run"], home=True)
    assert {name: shown[name] for name in TRAIN - {"schema"}} == {
        name: brought[name] for name in TRAIN - {"schema"}
    }
    code, told = run("import", trained["folder"], home=True, text=True)
    assert (code, "on record already" in told, "picdeed generate" in told) == (0, True, True)
    code, told = run("bundle", *given, home=True)
    assert (code, "finished" in told["message"]) == (2, True)


@pytest.mark.parametrize(
    "options",
    [
        ("--seed", "0"), ("--set", "steps=3"), ("--preset", "demo"), ("--use", "train"),
        ("--decision", "dec_1"), ("--again",), ("--detach",),
    ],
)  # fmt: skip
def test_a_bundle_leaves_no_room_for_options(run: Run, options: tuple[str, ...]) -> None:
    Path("any.picdeed").touch()
    code, document = run("train", "any.picdeed", *options)
    assert (code, document["schema"]) == (2, "picdeed.error/1")
    assert options[0] in document["message"]


def test_what_is_refused_says_why_by_its_exit_code(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (world.snapshot, "--base", BASE, *QUICK, "--seed", "7", "--to", "more.picdeed")
    code, document = run("bundle", *given, home=True)
    assert (code, "--decision" in document["message"]) == (2, True)
    run("gate", world.snapshot, "--base", BASE, "--use", "sell-adapter", home=True)
    code, decided = run("decisions", home=True)
    (other,) = [one for one in decided["decisions"] if one["decision"] != world.decision]
    code, document = run("bundle", *given, "--decision", other["decision"], home=True)
    assert (code in (2, 3), Path("more.picdeed").exists()) == (True, False)

    code, _ = run("bundle", *given, "--decision", world.decision, home=True)
    data = bytearray(Path("more.picdeed").read_bytes())
    data[len(data) // 2] ^= 1
    Path("flipped.picdeed").write_bytes(bytes(data))
    for command, options in (("train", ()), ("import", ())):
        code, document = run(command, "flipped.picdeed", *options, home=command == "import")
        assert (code, document["error"]) == (5, "IntegrityError")
    for arguments in (
        ("train", "none.picdeed"),
        ("train", world.snapshot),
        ("train", world.snapshot, "--base", BASE, "--to", "x"),
        ("import", "none.run.picdeed"),
    ):
        code, document = run(*arguments, home=arguments[0] == "import" or "snp_" in arguments[1])
        assert (code, document["schema"]) == (2, "picdeed.error/1"), arguments
    code, document = run("train", "more.picdeed")
    assert (code, document["error"]) == (1, "MissingPart")
    monkeypatch.setattr(launch, "foreground", never)  # the base is found out before it starts
    code, document = run("train", "more.picdeed", "--base", "sprig")
    assert (code, document["error"]) == (5, "IntegrityError")
