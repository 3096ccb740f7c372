"""What does a table say about the pictures it names? CSV, JSON Lines and Parquet.

A table whose meaning is in doubt is refused as a whole: a lost row could have been the one that
forbids, and the pictures would pass under what was said of the whole source.
"""

from __future__ import annotations

import csv
import io
import json
import os
import posixpath
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from picdeed.core.errors import SourceError, UsageError
from picdeed.core.limits import DEFAULT, Limits
from picdeed.sources import debian
from picdeed.sources.items import FIELDS, Statement, clean_text, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

BESIDE = ("metadata.jsonl", "metadata.csv")
"""Tables that are found by themselves, as in Hugging Face's imagefolder."""

KEY = "file_name"
_EXAMPLES = 3
_ALIASES = {"text": "caption"}  # Hugging Face's usual name for a caption


@dataclass(frozen=True, slots=True)
class Row:
    """What one line says about the file `file_name`, which is relative to the table."""

    file_name: str
    fields: Mapping[str, str]
    where: str

    def statements(self) -> tuple[Statement, ...]:
        return tuple(Statement(name, text, self.where) for name, text in self.fields.items())


@dataclass(slots=True)
class MetadataTable:
    """Rows by file. `folder` is where `file_name` starts; None for a table inside an archive."""

    name: str
    folder: str | None
    rows: dict[str, list[Row]]
    warnings: list[str] = field(default_factory=list)
    _used: set[str] = field(default_factory=set)

    def lookup(self, relative: str, absolute: str | None = None) -> list[Row]:
        """Rows for the file that lies at `relative` in the source and at `absolute` on disk.

        `file_name` is relative to the table. A table that lies elsewhere may also name files
        relative to the source, unless the name fits another file beside the table.
        """
        for key in self._keys(relative, absolute):
            if key in self.rows:
                self._used.add(key)
                return self.rows[key]
        return []

    def _keys(self, relative: str, absolute: str | None) -> Iterator[str]:
        if self.folder is not None and absolute is not None:
            yield _key(absolute)
            yield _key(os.path.relpath(absolute, self.folder))
            there = posixpath.join(self.folder, relative)
            if there != absolute and Path(there).exists():
                return
        yield _key(relative)
        yield _key(shown(relative))

    def unused(self) -> list[str]:
        """One warning when rows name files that the source does not hold."""
        left = [rows[0].file_name for key, rows in self.rows.items() if key not in self._used]
        if not left:
            return []
        some = ", ".join(left[:_EXAMPLES]) + (", ..." if len(left) > _EXAMPLES else "")
        return [f"{self.name}: {len(left)} named files are not in the source: {shown(some)}"]


def read_table(path: Path, limits: Limits = DEFAULT) -> MetadataTable | debian.CopyrightTable:
    """The table in a file: .csv, .jsonl, .parquet, or a Debian copyright file.

    Raises UsageError when there is no such file and SourceError when it cannot be understood.
    """
    if not path.is_file():
        raise UsageError(
            f"There is no metadata table {shown(str(path))}; nothing was registered.",
            hint="Name a .csv, .jsonl, .parquet or Debian copyright file after --metadata.",
        )
    if path.stat().st_size > limits.metadata_bytes:
        raise _broken(path.name, f"it is larger than {limits.metadata_bytes} bytes")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _broken(path.name, error.strerror or "it cannot be read") from error
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".jsonl", ".ndjson", ".parquet"):
        if not debian.is_copyright(data):
            raise SourceError(
                f"{shown(path.name)} is no table that picdeed reads; nothing was registered.",
                hint="Tables are .csv, .jsonl, .parquet or machine-readable Debian copyright.",
            )
        return debian.parse_copyright(data, shown(path.name))
    table = parse_table(data, path.name, str(path.resolve().parent), limits)
    if table is None:
        raise SourceError(
            f"{shown(path.name)} has no column {KEY!r}; nothing was registered.",
            hint=f"Name each picture in a column {KEY}, relative to the table, split by commas.",
        )
    return table


def parse_table(
    data: bytes, name: str, folder: str | None = None, limits: Limits = DEFAULT
) -> MetadataTable | None:
    """The rows of a CSV, JSON Lines or Parquet file; None without a `file_name` column.

    Raises SourceError naming the first line that cannot be understood.
    """
    suffix = posixpath.splitext(name)[1].lower()
    lines: Iterable[tuple[int, Mapping[str, object]]]
    if suffix == ".parquet":
        lines = enumerate(_parquet_rows(data, name, limits), 1)
    elif suffix == ".csv":
        lines = _csv_rows(_decoded(data, name), name)
    else:
        lines = _json_rows(_decoded(data, name), name)
    return _table(lines, name, folder)


def fields_of(values: Mapping[str, object]) -> dict[str, str]:
    """The known, filled fields of a row as text; captions may also be called `text`.

    What is no plain text keeps its JSON form, which no licence parser takes for a licence.
    """
    found: dict[str, str] = {}
    for name in (*FIELDS, *_ALIASES):
        text = _as_text(values.get(name))
        if text:
            found.setdefault(_ALIASES.get(name, name), text)
    return found


def _table(
    lines: Iterable[tuple[int, Mapping[str, object]]], name: str, folder: str | None
) -> MetadataTable | None:
    rows: dict[str, list[Row]] = {}
    unknown: set[str] = set()
    keyless: list[int] = []
    for number, values in lines:
        file_name = values.get(KEY)
        if not isinstance(file_name, str) or not file_name.strip():
            keyless.append(number)
            continue
        unknown |= set(values) - {KEY, *FIELDS, *_ALIASES}
        row = Row(file_name, fields_of(values), f"{shown(name)} line {number}")
        key = _key(file_name)
        if folder is not None and posixpath.isabs(file_name):
            key = _key(posixpath.normpath(file_name))
        rows.setdefault(key, []).append(row)
    if keyless and not rows:
        return None
    if keyless:
        raise _broken(name, f"line {keyless[0]} has no {KEY}")
    table = MetadataTable(shown(name), folder, rows)
    table.warnings += _notes(shown(name), rows, unknown)
    return table


def _notes(name: str, rows: Mapping[str, Sequence[Row]], unknown: set[str]) -> list[str]:
    notes = []
    if unknown:
        listed = ", ".join(sorted(clean_text(column) for column in unknown))
        notes.append(f"{name}: columns that picdeed does not read: {listed}")
    for same in rows.values():
        if any(row.fields != same[0].fields for row in same):
            listed = " and ".join(row.where.rsplit(" ", 1)[1] for row in same)
            notes.append(
                f"{name}: lines {listed} differ about {shown(same[0].file_name)}; all are kept"
            )
    return notes


def _csv_rows(text: str, name: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [column.strip().lower() for column in next(reader, [])]
        if KEY not in header:
            yield 1, {}
            return
        if len(set(header)) != len(header):
            raise _broken(name, "two columns have the same name")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                # A lost comma shifts values into other columns: a title would become a licence.
                raise _broken(
                    name, f"line {reader.line_num} has {len(cells)} cells, not {len(header)}"
                )
            yield reader.line_num, dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise _broken(name, f"line {reader.line_num}: {error}") from error


def _json_rows(text: str, name: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line, object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise _broken(name, f"line {number} is no JSON object") from error
        if not isinstance(values, dict):
            raise _broken(name, f"line {number} is no JSON object")
        yield number, values


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key stands twice")  # JSON would silently keep the last one
    return values


def _parquet_rows(data: bytes, name: str, limits: Limits) -> Iterator[Mapping[str, object]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        groups = (file.metadata.row_group(i) for i in range(file.num_row_groups))
        if sum(group.total_byte_size for group in groups) > limits.metadata_bytes:
            raise _broken(name, f"it unpacks to more than {limits.metadata_bytes} bytes")
        wanted = [c for c in file.schema_arrow.names if c in (KEY, *FIELDS, *_ALIASES)]
        for batch in file.iter_batches(batch_size=1024, columns=wanted):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise _broken(name, "it is no Parquet file that can be read") from error


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _broken(name, "it is not UTF-8") from error


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return clean_text(value.strip())
    return clean_text(json.dumps(value, default=str, ensure_ascii=False))


def _key(file_name: str) -> str:
    """One spelling of a path: macOS writes accents apart, people write ./ and \\ as they like."""
    plain = unicodedata.normalize("NFC", file_name.strip().replace("\\", "/"))
    return posixpath.normpath(plain)


def _broken(name: str, why: str) -> SourceError:
    return SourceError(
        f"{shown(name)} cannot be used: {why}; nothing was registered.",
        hint="Repair the table, or move it out of the source.",
    )
