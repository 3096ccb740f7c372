"""Does a person read what a result tells, also of an older one?"""

from picdeed.cli.evidence import say_evidence

CURVE = {
    "base": 1.0,
    "points": [{"step": 2, "loss": 0.5}, {"step": 4, "loss": 0.6}, {"step": 6, "loss": 0.7}],
    "best": 2,
    "pictures": 4,
    "over_trained": None,
}
OVER = {**CURVE, "over_trained": {"best": 2, "since": 4, "rise": 0.4}}
TRAITS = dict.fromkeys(("chroma", "light", "turns", "slope", "texture"), 0.25)


def told(**more):
    return {
        "kept": {"keep": "last", "step": 6},
        "curve": CURVE,
        "forgetting": None,
        "forgetting_reason": "too short",
        "style": None,
        "samples": None,
        **more,
    }


def said(capsys, evidence):
    say_evidence(evidence)
    return " ".join(capsys.readouterr().out.split())


def test_an_older_result_says_nothing(capsys):
    assert said(capsys, None) == ""
    assert said(capsys, told(curve=None)) == ""


def test_the_curve_is_drawn_and_what_was_kept_is_named(capsys):
    text = said(capsys, told())
    assert "1.0000 at step 0, lowest 0.5000, 0.7000 at step 6" in text
    assert "kept" not in text
    text = said(capsys, told(kept={"keep": "best", "step": 2}))
    assert "kept: the weights after step 2" in text


def test_too_long_is_a_warning_with_the_way_out(capsys):
    text = said(capsys, told(curve=OVER))
    assert "! It was trained for too long: from step 4 on" in text
    assert "by 40.0%; --set keep=best keeps those after step 2" in text
    text = said(capsys, told(curve=OVER, kept={"keep": "best", "step": 2}))
    assert "the weights after step 2 were kept" in text


def test_forgetting_style_and_nearest_pictures(capsys):
    nearest = {"step": 6, "samples": [{}, {}], "nearer_to_trained": 1, "expected": 0.8, "copied": 1}
    text = said(
        capsys,
        told(
            forgetting={"worse": 0.123, "worsened": 3, "prompts": ["apple"] * 4},
            style={"prompts": 2, "adapter": TRAITS, "base": TRAITS, "real": None},
            nearest=nearest,
        ),
    )
    assert "12.3% worse on the base's own pictures of other things (3 of 4 got worse)" in text
    assert "drawn by the base 0.250" in text
    assert "real" not in text
    assert "1 of 2 samples are nearer to a picture that it trained on" in text
    assert "(by chance 80%)" in text
    assert "! 1 of the samples show a picture that it trained on" in text
