"""What was measured of the embedded base? All tables in one file that ships beside its weights.

    python benchmarks/base_evaluation.py --work /tmp/judge --base models/sprig

Reads what the other benchmarks printed (`judge.json`, `decoder.json`, `copies.json`,
`prompts.json`, `styles.json`, `noise.json`, `repeat.json`, `pace.json` in the work folder), writes
`evaluation.json` into the base's folder, with the hash of the weights that it is about.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from base_painting import SEEDS, STEPS

from picdeed.diffusion.models import check_base
from picdeed.diffusion.suited import suited

PARTS = ("judge", "decoder", "copies", "prompts", "styles", "noise", "repeat", "pace")


def main(arguments: Sequence[str]) -> int:
    """Parses, joins, writes. Exit code 1 where a part was not measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--base", type=Path, default=Path("models/sprig"))
    given = parser.parse_args(arguments)
    deed = json.loads((given.base / "deed.json").read_text("utf-8"))
    found = {
        "schema": "picdeed.base-evaluation/1",
        "base": check_base(given.base).sha256,
        "recipe": deed["recipe"],
        "painted": {"seeds": SEEDS, "steps": STEPS, **asdict(suited(given.base))},
        "versions": {name: metadata.version(name) for name in ("torch", "diffusers", "numpy")},
    }
    missing = []
    for part in PARTS:
        path = given.work / f"{part}.json"
        if path.is_file():
            found[part] = json.loads(path.read_text("utf-8"))
        else:
            missing.append(part)
    out = given.base / "evaluation.json"
    out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
    print(f"{out}: {len(found)} entries" + (f"; not measured: {missing}" if missing else ""))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
