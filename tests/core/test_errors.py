"""Does every error carry what the command line prints, and the exit code of the contract?"""

import inspect

import pytest

from picdeed.core import errors

TREE = {
    "PicdeedError": 1,
    "UsageError": 2,
    "UnknownSubject": 2,
    "NotARegistry": 2,
    "Unconfirmed": 2,
    "Denied": 3,
    "NeedsReview": 4,
    "IntegrityError": 5,
    "UnreadablePicture": 1,
    "SourceError": 1,
    "RunFailed": 1,
    "TimeOver": 1,
    "BusyError": 1,
    "MissingPart": 1,
}


def classes():
    return {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, Exception)
    }


def test_every_error_class_has_the_exit_code_that_scripts_rely_on():
    assert {name: kind.exit_code for name, kind in classes().items()} == TREE


def test_the_drawn_tree_names_every_class_with_its_code_and_no_other():
    drawn = {}
    for line in (errors.__doc__ or "").splitlines():
        words = line.lstrip(" │├└─").split()
        if len(words) >= 2 and words[1].isdigit():
            drawn[words[0]] = int(words[1])
    assert drawn == TREE


def test_one_except_clause_catches_them_all():
    assert all(issubclass(kind, errors.PicdeedError) for kind in classes().values())


def test_message_hint_and_ids_are_kept_apart():
    error = errors.Denied(
        "Snapshot snp_1f may not train.", hint="picdeed why", decision="dec_2a", run="run_3b"
    )
    assert str(error) == error.message == "Snapshot snp_1f may not train."
    assert error.hint == "picdeed why"
    assert (error.decision, error.revocation, error.run) == ("dec_2a", None, "run_3b")


def test_ids_and_hint_are_named_never_positional():
    with pytest.raises(TypeError):
        errors.Denied("message", "hint")


def test_a_refused_picture_carries_its_machine_word():
    error = errors.UnreadablePicture("truncated", "The file ends in the middle.")
    assert (error.reason, error.message, error.exit_code) == (
        "truncated",
        "The file ends in the middle.",
        1,
    )


def test_work_whose_time_is_over_says_how_it_goes_on():
    assert "same command again" in errors.TimeOver("Over.").hint
