"""How does `train --estimate` tell what a fine-tune costs, and whether it fits?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from picdeed.cli.show import plain, print_document, say, table
from picdeed.core.errors import UsageError

if TYPE_CHECKING:
    from picdeed.cli.app import Call
    from picdeed.diffusion.estimated import Bytes, Estimate, Fitting, Seconds
    from picdeed.diffusion.recipe import Recipe
    from picdeed.flow.estimate import Estimated
    from picdeed.registry.session import Registry

_MINUTE, _HOUR = 60, 3600
_SAME = frozenset({"micro_batch", "gradient_checkpointing", "processes"})  # up to rounding

EstimateOnly = Annotated[
    bool,
    typer.Option("--estimate", help="Measure what it costs and whether it fits; train nothing."),
]
PricePerHour = Annotated[
    float | None,
    typer.Option(
        "--price-per-hour", metavar="X", min=0.0, help="With --estimate: of this machine."
    ),
]


def require_estimate(price: float | None) -> None:
    """Refuse a price where nothing is estimated."""
    if price is not None:
        raise UsageError("--price-per-hour goes with --estimate; nothing was started.")


def estimate_run(
    call: Call,
    registry: Registry,
    snapshot: str,
    base: str,
    recipe: Recipe,
    refused: Mapping[str, Any],
    **asked: Any,
) -> None:
    """Measure, and tell; `refused` are options that only a training has, `asked` the gate's and
    the seed, with the price.
    """
    from picdeed.flow.estimate import estimate
    from picdeed.jobs import launch

    said = [name for name, given in refused.items() if given]
    if said:
        raise UsageError(f"{', '.join(said)}: --estimate trains nothing; nothing was started.")
    with call.progress() as progress:
        done = estimate(
            registry, snapshot, base, recipe, launch.probing, progress=progress, **asked
        )
    if call.as_json:
        print_document("estimate", _document(done))
    else:
        say_estimate(done)


def _document(done: Estimated) -> dict[str, Any]:
    told = plain(done)
    cost = told.pop("cost")
    if done.cost.seconds is not None:
        cost["seconds"]["total"] = done.cost.seconds.total
    return {**told, **cost}


def say_estimate(done: Estimated) -> None:
    """What a person reads."""
    cost = done.cost
    alone = f"{cost.at_once} at once" if cost.at_once else "none could be computed"
    say(
        f"{cost.steps} steps of {cost.batch} pictures ({alone}), {cost.pictures} to train on and "
        f"{cost.held_out} held out, on {cost.device}",
        "bold",
    )
    if cost.seconds is not None:
        _say_time(cost, cost.seconds)
    _say_memory(cost.memory)
    if done.price is not None:
        say(f"price: {done.price.total:.2f}, at {done.price.per_hour:g} an hour")
    _say_fit(done)


def _say_time(cost: Estimate, seconds: Seconds) -> None:
    from picdeed.diffusion.fit import options_of

    a_step = f"{seconds.a_step:.3g} s a step ({seconds.a_step_cpu:.3g} CPU-s)"
    so = f" with {options_of(cost.timed_with)}" if cost.timed_with else ""
    drawn = f", {cost.to_draw} class pictures to draw" if cost.to_draw else ""
    rows = [
        ("starting", time_of(seconds.starting), "until the base is loaded"),
        ("caching", time_of(seconds.caching),
         f"{cost.to_encode} pictures to encode, {cost.to_embed} captions to read{drawn}"),
        ("steps", time_of(seconds.steps), f"{a_step}, median of {seconds.timed}{so}"),
        ("evidence", time_of(seconds.evidence), "held-out loss, forgetting, samples"),
        ("in all", time_of(seconds.total), ""),
    ]  # fmt: skip
    table("Time", ("part", "takes", "for"), rows)


def _say_memory(memory: Bytes) -> None:
    from picdeed.diffusion.fit import amount

    rows = [("weights and adapter, by arithmetic", amount(memory.least))]
    if memory.fixed is not None and memory.a_picture is not None:
        rows.append(
            ("learning", f"{amount(memory.fixed)} and {amount(memory.a_picture)} a picture")
        )
    if memory.resting and memory.a_look is not None:
        rows.append(("evidence", f"{amount(memory.resting)} and {amount(memory.a_look)} a look"))
    if memory.beside is not None:
        rows.append(("reading and drawing", amount(memory.beside)))
    needed = "more than there is" if memory.needed is None else amount(memory.needed)
    rows += [("needed, with a tenth to spare", needed), ("there is", amount(memory.there_is))]
    table("Memory", ("what", "takes"), rows)


def _say_fit(done: Estimated) -> None:
    from picdeed.diffusion.fit import amount

    cost = done.cost
    if cost.fits:
        say("It fits.", "green")
        again = "it is on record already, and goes on" if done.is_known else "repeat it"
        say(f"Next: {again} without --estimate", "dim")
        return
    say("It does not fit.", "red")
    if cost.nearest is not None:
        _say_nearest(cost.nearest)
    elif cost.missing:
        say(f"No setting makes it fit: {amount(cost.missing)} are missing. Take a smaller base.")
    else:
        say("Not even one picture at a time does. Take a smaller base.")
    if cost.untried is not None:
        say(f"Not all could be reckoned with: {cost.untried}", "dim")


def _say_nearest(nearest: Fitting) -> None:
    from picdeed.diffusion.fit import Basis, amount, options_of

    takes = amount(nearest.needed)
    if nearest.basis is Basis.LEAST:
        say(f"Nearest that may: {options_of(nearest.change)} ({takes} at least)")
        say("By arithmetic; ask once more with it, and the rest is measured.", "dim")
        return
    long = "" if nearest.seconds is None else f", {time_of(nearest.seconds)} in all"
    counted = nearest.basis is Basis.COUNTED
    does = "may" if counted else "does"
    say(f"Nearest that {does}: {options_of(nearest.change)} ({takes}{long})")
    if counted:
        say("Counted from what was measured; ask once more with it to be sure.", "dim")
    elif nearest.change.keys() <= _SAME:
        say("Measured; what is learned stays the same.", "dim")


def time_of(seconds: float) -> str:
    """Seconds as a person reads them."""
    if seconds < 2 * _MINUTE:
        return f"{seconds:.3g} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.3g} min"
    return f"{seconds / _HOUR:.3g} h"
