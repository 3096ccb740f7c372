"""What do people do to pictures? The edits that tests and benchmarks/dedup.py ask about.

Each edit takes an RGB picture and gives an edited one; the same picture gives the same edit. They
are imitations made with Pillow: no real screenshot, no real messenger took part.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

Edit = Callable[[Image.Image], Image.Image]


def recoded(image: Image.Image, form: str, **options: object) -> Image.Image:
    """Written in a Pillow format and read again."""
    stream = io.BytesIO()
    image.save(stream, form, **options)
    stream.seek(0)
    return Image.open(stream).convert("RGB")


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    return recoded(image, "JPEG", quality=quality)


def palette(image: Image.Image) -> Image.Image:
    return recoded(image.quantize(256), "GIF")


def scaled(image: Image.Image, by: float) -> Image.Image:
    size = max(1, round(image.width * by)), max(1, round(image.height * by))
    return image.resize(size, Image.Resampling.LANCZOS)


def square(image: Image.Image) -> Image.Image:
    side = max(16, (image.width + image.height) // 2)
    return image.resize((side, side), Image.Resampling.LANCZOS)


def blurred(image: Image.Image, share: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(share * min(image.size)))


def sharpened(image: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.UnsharpMask(2, 150, 2))


def noisy(image: Image.Image, sigma: float) -> Image.Image:
    pixels = np.asarray(image, dtype=np.float32)
    noise = np.random.default_rng(5).normal(0, sigma, pixels.shape)
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def toned(image: Image.Image, what: str, by: float) -> Image.Image:
    tool = getattr(ImageEnhance, what)
    changed: Image.Image = tool(image).enhance(by)
    return changed


def gamma(image: Image.Image, by: float) -> Image.Image:
    return image.point([round(255 * (v / 255) ** by) for v in range(256)] * 3)


def hue(image: Image.Image, turn: int) -> Image.Image:
    """Every hue turned, 256 being once around."""
    bands = list(image.convert("HSV").split())
    bands[0] = bands[0].point([(v + turn) % 256 for v in range(256)])
    return Image.merge("HSV", bands).convert("RGB")


def lettered(image: Image.Image, share: float, said: str = "Sample text 2024") -> Image.Image:
    """A line of white text with a dark edge, `share` of the picture's height tall."""
    out = image.copy()
    size = max(6, round(share * image.height))
    place = round(0.06 * image.width), round(0.8 * image.height)
    ImageDraw.Draw(out).text(
        place,
        said,
        fill="white",
        font=ImageFont.load_default(size),
        stroke_width=max(1, size // 16),
        stroke_fill="black",
    )
    return out


def stamped(image: Image.Image, share: float) -> Image.Image:
    """A round logo in a corner, `share` of the picture's width wide."""
    out = image.copy()
    pen = ImageDraw.Draw(out)
    side = round(share * image.width)
    x, y = image.width - side - 4, 4
    pen.ellipse((x, y, x + side, y + side), fill=(200, 30, 60), outline="white", width=side // 16)
    pen.rectangle((x + side // 3, y + side // 3, x + 2 * side // 3, y + 2 * side // 3), fill="gold")
    return out


def watermarked(image: Image.Image) -> Image.Image:
    """Faint letters all over the picture, as agencies print them on previews."""
    layer = Image.new("L", image.size, 0)
    pen = ImageDraw.Draw(layer)
    size = max(8, image.height // 12)
    font = ImageFont.load_default(size)
    for row, y in enumerate(range(0, image.height, 3 * size)):
        for x in range(-(row % 2) * 3 * size, image.width, 7 * size):
            pen.text((x, y), "PREVIEW", fill=90, font=font)
    return Image.composite(Image.new("RGB", image.size, "white"), image, layer)


def cropped(image: Image.Image, share: float) -> Image.Image:
    """`share` taken off the width and the height, more on the left and the top."""
    width, height = round((1 - share) * image.width), round((1 - share) * image.height)
    x, y = round(0.65 * (image.width - width)), round(0.65 * (image.height - height))
    return image.crop((x, y, x + width, y + height))


def turned(image: Image.Image, degrees: float) -> Image.Image:
    """Turned and cut so that no corner is empty, as editors straighten horizons."""
    wide = image.rotate(degrees, Image.Resampling.BICUBIC)
    tilt = np.tan(np.radians(abs(degrees)))
    x, y = round(image.height * tilt / 2) + 1, round(image.width * tilt / 2) + 1
    return wide.crop((x, y, image.width - x, image.height - y))


def framed(image: Image.Image, share: float, colour: str = "white") -> Image.Image:
    edge = round(share * min(image.size))
    return ImageOps.expand(image, edge, colour)


def letterboxed(image: Image.Image, ratio: float) -> Image.Image:
    """Black bars until width : height is `ratio`."""
    width, height = image.size
    if width / height < ratio:
        width = round(height * ratio)
    else:
        height = round(width / ratio)
    out = Image.new("RGB", (width, height), "black")
    out.paste(image, ((width - image.width) // 2, (height - image.height) // 2))
    return out


def social(image: Image.Image) -> Image.Image:
    return jpeg(scaled(cropped(image, 0.05), 0.6), 40)


def meme(image: Image.Image) -> Image.Image:
    """White bars with black words above and below."""
    bar = round(0.15 * image.height)
    out = Image.new("RGB", (image.width, image.height + 2 * bar), "white")
    out.paste(image, (0, bar))
    pen = ImageDraw.Draw(out)
    font = ImageFont.load_default(max(8, bar // 2))
    pen.text((bar // 3, bar // 5), "WHEN THE LICENCE", fill="black", font=font)
    pen.text((bar // 3, out.height - bar + bar // 5), "IS MISSING", fill="black", font=font)
    return jpeg(out, 80)


def screenshot(image: Image.Image, share: float) -> Image.Image:
    """A page with a bar, lines of text and the picture, `share` of the page's width wide."""
    width = 800
    side = round(share * width)
    small = image.resize((side, round(image.height * side / image.width)))
    height = small.height + 330
    page = Image.new("RGB", (width, height), (246, 246, 248))
    pen = ImageDraw.Draw(page)
    pen.rectangle((0, 0, width, 56), fill=(40, 70, 140))
    pen.text((16, 16), "Pictures of the day", fill="white", font=ImageFont.load_default(22))
    page.paste(small, ((width - side) // 3, 76))
    rng = np.random.default_rng(3)
    for y in range(76 + small.height + 30, height - 20, 26):
        length = int(rng.integers(5, 10))
        pen.text((24, y), "one two three four five six " * length, fill=(60, 60, 60))
    return page


def collage(image: Image.Image) -> Image.Image:
    """The picture as one quarter of a sheet with other things on it."""
    out = Image.new("RGB", (2 * image.width, 2 * image.height), (180, 190, 170))
    pen = ImageDraw.Draw(out)
    for at in range(12):
        x, y = image.width + 13 * at, 17 * at
        pen.ellipse((x, y, x + 90, y + 60), fill=(20 * at, 255 - 20 * at, 90))
    out.paste(image, (0, image.height))
    return out


def edits() -> dict[str, Edit]:
    """Name -> edit; the group is the part before the colon (62 of them)."""
    found: dict[str, Edit] = {f"jpeg: q{q}": partial(jpeg, quality=q) for q in (95, 80, 60, 40, 20)}
    found |= {
        "format: png": partial(recoded, form="PNG"),
        "format: webp 60": partial(recoded, form="WEBP", quality=60),
        "format: gif": palette,
        "grey: luma": lambda image: image.convert("L").convert("RGB"),
    }
    found |= {f"size: {by} x": partial(scaled, by=by) for by in (0.25, 0.5, 0.75, 1.5, 2)}
    found |= {"size: square": square}
    found |= {"soft: blur 0.4 %": partial(blurred, share=0.004)}
    found |= {"soft: blur 0.8 %": partial(blurred, share=0.008), "soft: sharpen": sharpened}
    found |= {f"noise: sigma {s}": partial(noisy, sigma=s) for s in (6, 15)}
    for what, values in (
        ("Brightness", (0.7, 1.3)),
        ("Contrast", (0.7, 1.4)),
        ("Color", (0.4, 1.6)),
    ):
        found |= {f"tone: {what.lower()} {v}": partial(toned, what=what, by=v) for v in values}
    found |= {f"tone: gamma {v}": partial(gamma, by=v) for v in (0.7, 1.4)}
    found |= {f"text: {round(100 * s)} %": partial(lettered, share=s) for s in (0.06, 0.12)}
    found |= {f"logo: {round(100 * s)} %": partial(stamped, share=s) for s in (0.15, 0.3)}
    found |= {"watermark: all over": watermarked}
    for share in (0.02, 0.05, 0.1, 0.2, 0.3, 0.5):
        found[f"crop: {round(100 * share)} %"] = partial(cropped, share=share)
    found |= {f"turn: {d} degrees": partial(turned, degrees=d) for d in (1, 5)}
    for name, way in (
        ("turn: 90", Image.Transpose.ROTATE_90),
        ("turn: 180", Image.Transpose.ROTATE_180),
        ("turn: 270", Image.Transpose.ROTATE_270),
        ("mirror: left-right", Image.Transpose.FLIP_LEFT_RIGHT),
        ("mirror: top-bottom", Image.Transpose.FLIP_TOP_BOTTOM),
    ):
        found[name] = partial(Image.Image.transpose, method=way)
    found |= {
        "border: 5 % white": partial(framed, share=0.05),
        "border: 10 % white": partial(framed, share=0.1),
        "border: 10 % black": partial(framed, share=0.1, colour="black"),
        "border: letterbox 1:1": partial(letterboxed, ratio=1.0),
        "border: letterbox 16:9": partial(letterboxed, ratio=16 / 9),
        "mixed: social": social,
        "mixed: meme": meme,
        "mixed: half, jpeg 60": lambda image: jpeg(scaled(image, 0.5), 60),
        "mixed: grey, jpeg 60": lambda image: jpeg(image.convert("L"), 60).convert("RGB"),
        "mixed: brighter, crop 5 %": lambda image: cropped(toned(image, "Brightness", 1.2), 0.05),
        "mixed: text, jpeg 40": lambda image: jpeg(lettered(image, 0.06), 40),
        "mixed: mirror, crop 10 %": lambda image: cropped(ImageOps.mirror(image), 0.1),
        "mixed: turn 90, half": lambda image: scaled(
            image.transpose(Image.Transpose.ROTATE_90), 0.5
        ),
        "mixed: border, logo": lambda image: framed(stamped(image, 0.15), 0.05),
        "screenshot: 95 %": partial(screenshot, share=0.95),
        "screenshot: 60 %": partial(screenshot, share=0.6),
        "collage: a quarter": collage,
    }
    return found
