"""How much memory is there, and how much did this process take at its fullest?

On CUDA the device's, as torch counts it; else the machine's, as far as the process may use it, and
what of the process lies in it.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import torch

_GROUPS, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
# Controllers of the second and of the first kind: what a group may use, uses, and could give back.
_V2 = ("memory.max", "memory.current", "inactive_file")
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def there_is(device: torch.device, *, swap: bool = False) -> int:
    """Bytes that this process can still come to; with `swap` also what would be swapped out."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device)
    rest = int(psutil.virtual_memory().available)
    if swap:
        rest += int(psutil.swap_memory().free)
    return min([rest, *group_rooms(_GROUPS, _OWN)])


def group_rooms(groups: Path, own: Path) -> list[int]:
    """What each control group above this process still lets it have; nothing where none limits it.

    `groups` is where they are mounted, `own` says in which of them the process is.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    rooms = []
    for line in lines:
        _, kinds, inside = (*line.split(":", 2), "", "")[:3]
        if kinds not in ("", "memory"):
            continue
        top, files = (groups / "memory", _V1) if kinds else (groups, _V2)
        here = top / inside.strip("/")
        for folder in (here, *here.parents):
            if not folder.is_relative_to(top):
                break
            room = _room(folder, *files)
            if room is not None:
                rooms.append(room)
    return rooms


def _room(folder: Path, limit: str, used: str, spare: str) -> int | None:
    try:
        most = int((folder / limit).read_text(encoding="ascii"))
        taken = int((folder / used).read_text(encoding="ascii"))
        stat = (folder / "memory.stat").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None  # "max", or a container that does not show it
    told = dict(zip(stat[::2], stat[1::2], strict=False))
    return max(0, most - taken + int(told.get(spare, 0)))


def forget_peak(device: torch.device) -> None:
    """Let `peak` begin anew, with what nobody needs any more given back."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        return
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # glibc's; what it keeps would hide what is needed
            ctypes.CDLL(None).malloc_trim(0)
        with suppress(OSError):
            _CLEAR.write_text("5", encoding="ascii")


def peak(device: torch.device) -> int:
    """The most bytes in use since `forget_peak`; since the start where a system cannot forget."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    with suppress(OSError):
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    import resource  # no such module on some systems

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most << 10


def in_use(device: torch.device) -> int:
    """Bytes in use now."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    return int(psutil.Process().memory_info().rss)
