import io
import json
import stat
import tarfile
import zipfile
from dataclasses import replace

import pytest

from picdeed.core.errors import SourceError, UnreadablePicture
from picdeed.core.limits import DEFAULT
from picdeed.sources import Item, open_source


def _begins(head):
    return head.startswith(b"\x89PNG")


def _zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def _tar(path, members, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, data in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def _link(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


MEMBERS = [
    ("set/metadata.jsonl", json.dumps({"file_name": "a.png", "license": "CC0-1.0"}).encode()),
    ("set/b.txt", b"a text beside"),
    ("set/readme.md", b"hello"),
    ("__MACOSX/._a.png", b"resource fork"),
]


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_archives_are_read_in_place(tmp_path, png, listed, form):
    members = [*MEMBERS, ("set/a.png", png(1)), ("set/b.png", png(2)), ("bare", png(3))]
    path = tmp_path / f"x.{form}"
    if form == "zip":
        _zip(path, members)
    else:
        _tar(path, members, "w:" + form[4:])
    found = listed(path)
    assert found.bytes == {"set/a.png": png(1), "set/b.png": png(2), "bare": png(3)}
    assert found.items["set/a.png"].name == f"{path}/set/a.png"
    assert found.items["set/a.png"].absolute == path
    assert found.items["set/a.png"].fields == {"license": "CC0-1.0"}
    assert found.items["set/b.png"].caption == "a text beside"
    assert found.skipped == {"readme.md": "no picture", "._a.png": "dotfile"}
    assert [one.name for one in tmp_path.iterdir()] == [path.name]  # nothing was unpacked


def test_members_that_would_escape_are_only_names(tmp_path, png, listed):
    home = tmp_path / "deep" / "home"
    home.mkdir(parents=True)
    path = _zip(home / "slip.zip", [("../../evil.png", png(1)), ("/etc/evil.png", png(2))])
    found = listed(path)
    assert set(found.bytes.values()) == {png(1), png(2)}
    assert sorted(str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*")) == [
        "deep",
        "deep/home",
        "deep/home/slip.zip",
    ]


def test_links_and_devices_are_skipped(tmp_path, png, listed):
    pipe = tarfile.TarInfo("pipe.png")
    pipe.type = tarfile.FIFOTYPE
    members = [
        ("a.png", png()),
        (_link("s.png", "/etc/passwd"), b""),
        (_link("h.png", "a.png", tarfile.LNKTYPE), b""),
        (pipe, b""),
    ]
    found = listed(_tar(tmp_path / "x.tar", members))
    assert list(found.items) == ["a.png"]
    assert found.skipped == {
        "s.png": "symbolic link",
        "h.png": "hard link",
        "pipe.png": "not a regular file",
    }
    info = zipfile.ZipInfo("z.png")
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert listed(_zip(tmp_path / "x.zip", [(info, b"/etc/passwd")])).skipped == {
        "z.png": "symbolic link"
    }


def test_a_zip_that_lies_about_a_size_is_read_with_a_bound(tmp_path, png):
    path = _zip(tmp_path / "bomb.zip", [("a.png", png() + b"\0" * 5_000_000)])
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (100).to_bytes(4, "little")  # promises 100 bytes
    path.write_bytes(bytes(data))
    source = open_source(path, is_picture=_begins, limits=replace(DEFAULT, picture_bytes=1000))
    (item,) = source
    assert isinstance(item, Item)
    with pytest.raises(UnreadablePicture) as refusal:
        item.read()
    assert refusal.value.reason in ("too-large", "unreadable-file")


def test_one_member_too_large_is_refused_by_itself(tmp_path, png):
    path = _zip(tmp_path / "x.zip", [("a.png", png() * 50), ("b.png", png())])
    limits = replace(DEFAULT, picture_bytes=len(png()))
    first, second = open_source(path, is_picture=_begins, limits=limits)
    with pytest.raises(UnreadablePicture) as refusal:
        first.read()
    assert refusal.value.reason == "too-large"
    assert first.name.endswith("a.png")
    assert second.name.endswith("b.png")


def test_a_damaged_member_is_refused_and_the_others_come(tmp_path, png):
    path = _zip(tmp_path / "x.zip", [("a.png", png(1)), ("b.png", png(2))])
    data = bytearray(path.read_bytes())
    data[45] ^= 0xFF  # inside the first member's compressed bytes
    path.write_bytes(bytes(data))
    outcome = {}
    for item in open_source(path, is_picture=_begins):
        try:
            outcome[item.relative] = item.read()
        except UnreadablePicture as refusal:
            outcome[item.relative] = refusal.reason
    assert outcome == {"a.png": "unreadable-file", "b.png": png(2)}


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz"])
def test_a_truncated_archive_stops_before_the_first_picture(tmp_path, png, listed, form):
    members = [(f"{n}.png", png(n) + bytes(range(256)) * 40) for n in range(20)]
    path = tmp_path / f"x.{form}"
    _zip(path, members) if form == "zip" else _tar(path, members, "w:" + form[4:])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="cannot be read"):
        listed(path)


def test_limits_of_the_whole_archive(tmp_path, png, listed):
    path = _zip(tmp_path / "x.zip", [(f"{n}.png", png()) for n in range(5)])
    with pytest.raises(SourceError, match="more than 4 members"):
        listed(path, limits=replace(DEFAULT, archive_members=4))
    with pytest.raises(SourceError, match="unpacks to more than 99 bytes"):
        listed(path, limits=replace(DEFAULT, archive_bytes=99))


def test_webdataset_rows_stand_beside_their_pictures(tmp_path, png, listed):
    row = {"license": "CC-BY-4.0", "author": "Ann", "width": 4}
    members = [
        ("000.png", png(1)),
        ("000.json", json.dumps(row).encode()),
        ("000.txt", b"first"),
        ("001.png", png(2)),
        ("001.json", b"{broken"),
        ("alone.json", b"{}"),
    ]
    found = listed(_tar(tmp_path / "shard-0.tar", members))
    assert found.items["000.png"].fields == {"license": "CC-BY-4.0", "author": "Ann"}
    assert found.items["000.png"].caption == "first"
    # A row that cannot be read might forbid: it becomes a licence that nobody can parse.
    assert found.items["001.png"].fields == {"license": "unreadable row 001.json"}
    assert found.skipped == {"alone.json": "no picture"}


def test_names_in_foreign_bytes(tmp_path, png, listed):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", encoding="latin-1", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo("café.png")
        info.size = len(png())
        archive.addfile(info, io.BytesIO(png()))
    assert list(listed(path).items) == ["caf%E9.png"]


def test_a_password_is_a_reason(tmp_path, png):
    path = _zip(tmp_path / "x.zip", [("a.png", png())])
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + offset] |= 1
    path.write_bytes(bytes(data))
    (item,) = open_source(path, is_picture=_begins)
    with pytest.raises(UnreadablePicture, match="password"):
        item.read()
