"""How near do fingerprints come to what the decoder needs alone, and what do peers take?

    python benchmarks/fingerprints.py --photos FOLDER [--peers FOLDER] [--pictures 12] [--rounds 9]

FOLDER holds photographs (none are shipped). Files of about 0.2, 2 and 12 megapixels are laid
together from them, unscaled, and encoded as JPEG of quality 90, each of another size; those of 2
megapixels as PNG and WebP too. Bytes lie in memory. CPU seconds of this process a picture, on one
thread: the median of interleaved rounds; each way sees one file before its time is taken.

picdeed, fingerprints: SHA-256 of the file; guarded decode; the code in eight turns, as it is and
without its border; colour grid; quality; pHash and dHash; all files of a class in one call of
`marks_of`, as `picdeed ingest` calls it (`one by one`: in as many calls as files). `+ thumbnail` is
what ingest does: as many pixels as a thumbnail of 256 needs, and its WebP. The limit is the fastest
decode of the same file to 128 pixels or more, unguarded and in grey: simplejpeg, Pillow's draft,
OpenCV; ours decodes colours, so simplejpeg's decode in RGB stands there too, and is no limit.
Peers: imagehash over Pillow's decode, and pdqhash and imagededup where they are installed
(`--peers` names a further folder of packages). A second table holds the published codes of small
decodes against those of whole ones: bits that differ.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import imagehash
import numpy as np
import simplejpeg
from PIL import Image

from picdeed.imaging import codes, fingerprints
from picdeed.imaging.decode import LONGEST, SHORTEST, decode
from picdeed.imaging.marks import Marks, marks_of
from picdeed.imaging.thumbs import thumbnail

SEED = 5
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
SIZES = {"0.2 MP": (520, 390), "2 MP": (1733, 1155), "12 MP": (4000, 3000)}
GOAL_LIMIT, GOAL_IMAGEHASH = 0.8, 5.0
Way = Callable[[bytes], object]
Many = Callable[[Sequence[bytes]], object]


def laid(photos: Sequence[Path], width: int, height: int, chance: random.Random) -> Image.Image:
    """Photographs side by side, unscaled, as many as the picture takes."""
    sheet = Image.new("RGB", (width, height))
    left = top = line = 0
    while top < height:
        with Image.open(chance.choice(photos)) as opened:
            photo = opened.convert("RGB")
        sheet.paste(photo, (left, top))
        left, line = left + photo.width, max(line, photo.height)
        if left >= width:
            left, top, line = 0, top + line, 0
    return sheet


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def files_of(photos: Sequence[Path], count: int) -> dict[str, list[bytes]]:
    """Files by class; sizes differ by up to a tenth, so that no two are alike in shape."""
    chance = random.Random(SEED)
    found: dict[str, list[bytes]] = defaultdict(list)
    for name, (width, height) in SIZES.items():
        for _ in range(count):
            size = [round(side * chance.uniform(0.95, 1.05)) for side in (width, height)]
            image = laid(photos, *size, chance)
            found[f"JPEG {name}"].append(encoded(image, "JPEG", quality=90))
            if name == "2 MP":
                found[f"PNG {name}"].append(encoded(image, "PNG"))
                found[f"WebP {name}"].append(encoded(image, "WEBP", quality=90))
    return found


def ours(files: Sequence[bytes], long_side: int = 0) -> list[Marks]:
    """Everything but the thumbnails."""
    named = ((None, data) for data in files)
    made = [one for _, one in marks_of(named, at_least=SHORTEST, long_side=long_side)]
    found = [one for one in made if isinstance(one, Marks)]
    inner = [one.code.trimmed_coefficients for one in found]
    spectra = [one.code.coefficients for one in found]
    codes.variants(np.stack([*spectra, *(one for one in inner if one is not None)]))
    return found


def one_by_one(files: Sequence[bytes]) -> None:
    for data in files:
        ours([data])


def ours_with_thumbnail(files: Sequence[bytes]) -> None:
    for one in ours(files, LONGEST):
        thumbnail(one.decoded.image)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def scaled(data: bytes, colours: str) -> object:
    return simplejpeg.decode_jpeg(data, colours, min_width=SHORTEST, min_height=SHORTEST)


def drafted(data: bytes) -> object:
    image = opened(data)
    image.draft("L", (SHORTEST, SHORTEST))
    return image.load()


def reduced(data: bytes) -> object:
    """OpenCV's smallest grey decode that keeps 128 pixels."""
    shorter = min(opened(data).size)
    flags = {8: cv2.IMREAD_REDUCED_GRAYSCALE_8, 4: cv2.IMREAD_REDUCED_GRAYSCALE_4}
    scale = next((one for one in (8, 4, 2) if shorter // one >= SHORTEST), 1)
    flag = flags.get(scale, cv2.IMREAD_REDUCED_GRAYSCALE_2 if scale == 2 else cv2.IMREAD_GRAYSCALE)
    return cv2.imdecode(np.frombuffer(data, np.uint8), flag)


def limits(kind: str) -> dict[str, Way]:
    if not kind.startswith("JPEG"):  # no scaled decode there is: Pillow's and OpenCV's whole one
        return {
            "decode: Pillow": lambda data: opened(data).load(),
            "decode: OpenCV": lambda data: cv2.imdecode(
                np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR
            ),
        }
    return {
        "decode: simplejpeg": lambda data: scaled(data, "GRAY"),
        "decode: Pillow's draft": drafted,
        "decode: OpenCV": reduced,
        "simplejpeg in RGB": lambda data: scaled(data, "RGB"),
    }


def peers() -> dict[str, Way]:
    found: dict[str, Way] = {
        "imagehash phash": lambda data: imagehash.phash(opened(data)),
        "imagehash phash + dhash": lambda data: _both(opened(data)),
    }
    try:
        import pdqhash

        found["pdqhash, 8 turns"] = lambda data: pdqhash.compute_dihedral(
            np.asarray(opened(data).convert("RGB"))
        )
    except ImportError:
        print("pdqhash is not installed: left out")
    try:
        from imagededup.methods import PHash

        hasher = PHash()
        found["imagededup PHash"] = lambda data: hasher.encode_image(
            image_array=np.asarray(opened(data))
        )
    except ImportError as error:
        print(f"imagededup cannot be imported: left out ({error})")
    return found


def _both(image: Image.Image) -> object:
    return imagehash.phash(image), imagehash.dhash(image)


def each(way: Way) -> Many:
    """The way, file by file."""

    def many(files: Sequence[bytes]) -> None:
        for data in files:
            way(data)

    return many


def timed(ways: dict[str, Many], files: Sequence[bytes], rounds: int) -> dict[str, float]:
    """Milliseconds a picture: the median over interleaved rounds, the first one not counted."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for at in range(rounds + 1):
        for name, way in ways.items():
            way(files[:1])  # as in the middle of a folder: its code is in the caches
            begun = time.process_time()
            way(files)
            if at:
                found[name].append((time.process_time() - begun) / len(files) * 1000)
    return {name: statistics.median(times) for name, times in found.items()}


def told(kind: str, files: Sequence[bytes], took: dict[str, float]) -> None:
    limit = min(value for name, value in took.items() if name.startswith("decode: "))
    other = took["imagehash phash"]
    sizes = sorted(len(data) for data in files)
    print(f"\n{kind}: {len(files)} files, {sizes[0] // 1024}-{sizes[-1] // 1024} KiB")
    print(f"  {'':34}{'ms':>9}{'a second':>10}{'of limit':>10}{'imagehash x':>13}")
    for name, value in took.items():
        rate, share, faster = 1000 / value, limit / value, other / value
        print(f"  {name:34}{value:9.2f}{rate:10.1f}{share:10.2f}{faster:13.1f}")
    if kind in ("JPEG 2 MP", "JPEG 12 MP"):
        mine = took["picdeed, fingerprints"]
        for goal, reached in ((GOAL_LIMIT, limit / mine), (GOAL_IMAGEHASH, other / mine)):
            word = "reached" if reached >= goal else "MISSED"
            print(f"  goal {goal:g}: {reached:.2f}, {word}")


def bits_apart(photos: Sequence[Path]) -> None:
    """What scaling while decoding changes: the photographs' own JPEG files, whole and small."""
    apart: dict[tuple[int, str], list[int]] = defaultdict(list)
    for path in photos:
        data = path.read_bytes()
        if data[:2] != b"\xff\xd8":
            continue
        large = decode(data)
        kept = codes.code_of(large)
        known = imagehash.phash(large.image).hash, imagehash.dhash(large.image).hash
        for at_least in (64, SHORTEST, 192):
            small = decode(data, at_least=at_least)
            if small.image.size == large.image.size:
                continue
            code, mark = codes.code_of(small), fingerprints.fingerprint(small)
            apart[at_least, "code"].append(int(np.bitwise_count(code.plain ^ kept.plain).sum()))
            if code.trimmed is not None and kept.trimmed is not None:
                differ = int(np.bitwise_count(code.trimmed ^ kept.trimmed).sum())
                apart[at_least, "trimmed code"].append(differ)
            for name, bits, value in (
                ("pHash", known[0], mark.phash),
                ("dHash", known[1], mark.dhash),
            ):
                whole = int.from_bytes(np.packbits(bits.reshape(-1)).tobytes(), "big")
                apart[at_least, name].append((whole ^ value).bit_count())
    print("\nbits between the small decode's codes and the whole one's")
    print(f"  {'shorter side':14}{'':14}{'pictures':>9}{'mean':>8}{'p50':>6}{'p99':>6}{'most':>6}")
    for (at_least, name), bits in apart.items():
        middle, high = np.percentile(bits, (50, 99))
        print(
            f"  {f'>= {at_least}':14}{name:14}{len(bits):9}{np.mean(bits):8.2f}{middle:6.0f}"
            f"{high:6.0f}{max(bits):6}"
        )


def versions() -> str:
    names = ("Pillow", "simplejpeg", "opencv-python-headless", "numpy", "ImageHash", "pdqhash")
    found = []
    for name in (*names, "imagededup"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def main() -> None:
    reader = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    reader.add_argument("--photos", type=Path, required=True)
    reader.add_argument("--peers", type=Path, help="a further folder of packages")
    reader.add_argument("--pictures", type=int, default=12)
    reader.add_argument("--rounds", type=int, default=9)
    reader.add_argument("--bits", type=int, default=400, help="photographs for the table of bits")
    asked = reader.parse_args()
    if asked.peers:
        sys.path.append(str(asked.peers))
    cv2.setNumThreads(1)
    photos = sorted(one for one in asked.photos.rglob("*") if one.suffix.lower() in SUFFIXES)
    if not photos:
        reader.error(f"no photographs in {asked.photos}")
    print(f"Python {sys.version.split()[0]}, {versions()}; seed {SEED}")
    print(f"{codes.ALGORITHM}, {fingerprints.ALGORITHM}; {asked.rounds} rounds")
    others = peers()
    for kind, files in files_of(photos, asked.pictures).items():
        ways: dict[str, Many] = {
            "picdeed, fingerprints": ours,
            "picdeed, one by one": one_by_one,
            "picdeed, fingerprints + thumbnail": ours_with_thumbnail,
            **{name: each(way) for name, way in (limits(kind) | others).items()},
        }
        told(kind, files, timed(ways, files, asked.rounds))
    bits_apart(random.Random(SEED).sample(photos, min(asked.bits, len(photos))))


if __name__ == "__main__":
    main()
