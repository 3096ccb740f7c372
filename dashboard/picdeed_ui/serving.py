"""Under which addresses do pictures lie? Thumbnails and files by hash, from this registry only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from picdeed.core.errors import PicdeedError
from picdeed.imaging.decode import decode
from picdeed.imaging.thumbs import thumbnail
from picdeed.registry import outputs, pictures
from picdeed_ui import data
from picdeed_ui.laid import laid_over

if TYPE_CHECKING:
    from starlette.requests import Request

# What every browser shows; other formats are seen as their thumbnail.
SHOWN = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/avif")
DIGEST = re.compile(r"[0-9a-f]{64}")
HEADERS = {
    "Cache-Control": "private, max-age=3600",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def routes() -> list[BaseRoute]:
    """Below `/app/static/`, the only relative addresses that Streamlit's own elements accept."""
    return [
        Route("/app/static/thumbs/{digest}", thumb),
        Route("/app/static/files/{digest}", file),
        Route("/app/static/laid/{first}/{second}/{what}", laid),
    ]


def thumb_url(digest: str) -> str:
    return f"/app/static/thumbs/{digest}"


def file_url(digest: str) -> str:
    return f"/app/static/files/{digest}"


def laid_url(first: str, second: str, what: str, version: str) -> str:
    return f"/app/static/laid/{first}/{second}/{what}?v={version}"


def thumb(request: Request) -> Response:
    """A picture's thumbnail as WebP; made again when the cache was emptied."""
    digest = str(request.path_params["digest"])
    if not DIGEST.fullmatch(digest):
        return _missing()
    registry = data.registry()
    path = registry.thumbnail(digest)
    if path.is_file():
        return Response(path.read_bytes(), media_type="image/webp", headers=HEADERS)
    if _media_type(digest) is None:
        return _missing()
    try:
        made = thumbnail(decode(registry.blobs.read(digest)).image)
    except PicdeedError:
        return _missing()
    registry.keep_thumbnail(digest, made)
    return Response(made, media_type="image/webp", headers=HEADERS)


def file(request: Request) -> Response:
    """The bytes of a registered picture or a released output, whole and unchanged."""
    digest = str(request.path_params["digest"])
    media_type = _media_type(digest) if DIGEST.fullmatch(digest) else None
    if media_type is None:
        return _missing()
    if media_type not in SHOWN:
        return thumb(request)
    path = data.registry().blobs.path(digest)
    if not path.is_file():
        return _missing()
    return Response(path.read_bytes(), media_type=media_type, headers=HEADERS)


def laid(request: Request) -> Response:
    """One of two pictures on the first one's frame, or what differs between them, as WebP."""
    first, second = str(request.path_params["first"]), str(request.path_params["second"])
    for digest in (first, second):
        if not DIGEST.fullmatch(digest) or _media_type(digest) is None:
            return _missing()
    try:
        found = laid_over(pictures.picture_id(first), pictures.picture_id(second))
    except PicdeedError:
        return _missing()
    made = found.pictures.get(str(request.path_params["what"])) if found else None
    if made is None:
        return _missing()
    return Response(made, media_type="image/webp", headers=HEADERS)


def _media_type(digest: str) -> str | None:
    """Only what the registry names is served: evidence lies in the same blob store."""
    with data.registry().read() as session:
        known = pictures.by_sha(session, digest)
        if known is not None:
            return known.media_type
        return "image/png" if outputs.by_sha(session, digest) is not None else None


def _missing() -> Response:
    return Response("There is no such picture here.", status_code=404, media_type="text/plain")
