"""Which pictures stand in a Parquet file? Those of its image column, with their row's statements.

Hugging Face writes pictures as a struct {bytes, path}. Rows are read batch by batch, so that a
shard of any size passes through a few hundred megabytes.
"""

from __future__ import annotations

import functools
import posixpath
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import SourceError, UnreadablePicture
from picdeed.sources.items import FIELDS, Found, Item, Refused, Skipped, Statement, shown
from picdeed.sources.metadata import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from picdeed.sources.annotations import Reading

_ROWS = 16
_COLUMNS = (*FIELDS, "text")


def shard(path: Path, relative: str, reading: Reading) -> Iterator[Found]:
    """One item a row. A file without pictures is skipped, one that breaks off is refused."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    name = shown(str(path.absolute()))
    try:
        with pq.ParquetFile(path) as file:
            column = _image_column(file.schema_arrow)
            if column is None:
                yield Skipped(name, "Parquet without a column of pictures")
                return
            known = [one for one in _COLUMNS if one in file.schema_arrow.names and one != column]
            number = 0
            for batch in file.iter_batches(batch_size=_ROWS, columns=[column, *known]):
                for values in batch.to_pylist():
                    number += 1
                    row = (values.pop(column), values)
                    yield _row(path, relative, f"row-{number}", row, reading)
    except (pa.ArrowException, OSError) as error:
        yield Refused(name, "unreadable-file", f"It is no whole Parquet file: {_line(error)}")


def check(path: Path) -> None:
    """Raises SourceError when this is no Parquet file or holds no column of pictures."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        column = _image_column(pq.read_schema(path))
    except (pa.ArrowException, OSError) as error:
        raise SourceError(
            f"{shown(path.name)} is no whole Parquet file; nothing was registered.",
            hint="Fetch the file again.",
        ) from error
    if column is None:
        raise SourceError(
            f"{shown(path.name)} has no column of pictures; nothing was registered.",
            hint="A column of pictures is a struct with `bytes`, or binary and called image.",
        )


def _image_column(schema: pa.Schema) -> str | None:
    """The first struct with a binary `bytes`, else a binary column with a picture's name."""
    import pyarrow as pa

    def binary(kind: pa.DataType) -> bool:
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    for column in schema:
        kind = column.type
        if pa.types.is_struct(kind) and any(
            kind.field(i).name == "bytes" and binary(kind.field(i).type)
            for i in range(kind.num_fields)
        ):
            return str(column.name)
    for column in schema:
        if column.name in ("image", "img", "jpg", "jpeg", "png", "webp") and binary(column.type):
            return str(column.name)
    return None


def _row(
    path: Path, relative: str, inside: str, row: tuple[Any, Mapping[str, object]], reading: Reading
) -> Found:
    image, values = row
    where = shown(f"{relative} {inside}")
    data = image.get("bytes") if isinstance(image, dict) else image
    called = image.get("path") if isinstance(image, dict) else None
    if called:
        inside += f"/{called.replace(chr(92), '/').rsplit('/', 1)[-1]}"
    name = shown(f"{path.absolute()}/{inside}")
    if not isinstance(data, bytes):
        return Refused(name, "no-bytes", "The row holds no picture's bytes.")
    said = tuple(Statement(key, text, where) for key, text in fields_of(values).items())
    beside = posixpath.join(posixpath.dirname(relative), str(called or inside))
    statements = (*said, *reading.annotations.of(beside))
    return Item(
        name=name,
        relative=shown(f"{relative}/{inside}"),
        absolute=path,
        read=functools.partial(_bounded, data, reading.limits.picture_bytes),
        caption=reading.annotations.caption(statements, inside, lambda _: None, reading.limits),
        statements=statements,
    )


def _bounded(data: bytes, most: int) -> bytes:
    if len(data) > most:
        raise UnreadablePicture("too-large", f"It is larger than {most} bytes.")
    return data


def _line(error: Exception) -> str:
    return (str(error).splitlines() or ["unknown"])[0][:200]
