"""The GPU as openapi.yaml describes it."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from ..times import iso
from .inquiry import Seen
from .models import BoardReading, Device, Processes, Sample
from .sampler import Picture


def moment(seconds: float) -> str:
    """Seconds since the epoch as the contract writes times."""
    return iso(datetime.fromtimestamp(seconds, timezone.utc))


def sample(each: Sample) -> dict[str, Any]:
    """`#/components/schemas/GpuSample`."""
    return {
        "seq": each.seq,
        "time": moment(each.time),
        "device": each.device,
        "used": each.used,
        "utilisation": each.utilisation,
    }


def view(picture: Picture, since: str) -> dict[str, Any]:
    """`#/components/schemas/GpuView` without the usage.

    Args:
        since: when the state became what it is.
    """
    seen, state = picture.seen, picture.state
    driver = {"version": seen.driver_version, "cuda": seen.cuda_version}
    return {
        "state": {
            "kind": state.kind,
            "severity": state.severity,
            "sentence": state.sentence,
            "next_step": state.next_step,
            "partial": state.partial,
            "since": since,
        },
        "present": seen.present,
        "simulated": seen.simulated,
        "driver": driver if seen.driver_version or seen.cuda_version else None,
        "selection": {
            "source": seen.selection.source,
            "ambiguous": seen.selection.ambiguous,
            "note": seen.selection.note,
        },
        "devices": [_device(each, seen) for each in seen.selection.devices],
        "processes": _processes(picture.processes),
    }


def name(device: Device) -> str:
    """As a user knows it."""
    return f"MIG {device.profile}" if device.profile else device.board.name


def held(picture: Picture) -> dict[str, Any]:
    """The user's devices and who holds their memory, each holder once; most memory first."""
    seen = picture.seen
    devices = []
    for each in () if seen.selection.ambiguous else seen.selection.devices:
        memory = seen.memory.get(each.uuid)
        total = memory.total if memory else each.memory_total
        used = memory.used if memory else None
        devices.append({"name": name(each), "memory_used": used, "memory_total": total})
    holders: dict[tuple[str, str | None, str], dict[str, Any]] = {}
    for row in picture.processes.list:
        owner = row.owner
        title = row.command if owner.kind == "other" else owner.title
        key = (owner.kind, owner.id, title)
        one = {"kind": owner.kind, "id": owner.id, "title": title, "path": owner.path, "memory": 0}
        holder = holders.setdefault(key, one)
        unknown = row.memory is None or holder["memory"] is None
        holder["memory"] = None if unknown else holder["memory"] + row.memory
    ordered = sorted(holders.values(), key=lambda each: -(each["memory"] or 0))
    return {"devices": devices, "holders": ordered}


def _device(device: Device, seen: Seen) -> dict[str, Any]:
    memory = seen.memory.get(device.uuid)
    utilisation, note = seen.utilisation.get(device.uuid, (None, "not read at the moment"))
    board = seen.boards.get(device.uuid, BoardReading())
    return {
        "uuid": device.uuid,
        "kind": device.kind,
        "name": device.board.name,
        "profile": device.profile,
        "gi": device.gi,
        "ci": device.ci,
        "sm_count": device.sm_count,
        "slices": device.slices,
        "board_slices": device.board.slices,
        "memory_total": memory.total if memory else device.memory_total,
        "memory_reserved": memory.reserved if memory else None,
        "memory_used": memory.used if memory else None,
        "memory_free": memory.free if memory else None,
        "utilisation": utilisation,
        "utilisation_note": note,
        "board": {"uuid": device.board.uuid, "index": device.board.index, **asdict(board)},
    }


def _processes(processes: Processes) -> dict[str, Any]:
    return {
        "time": moment(processes.time) if processes.time is not None else None,
        "list": [asdict(each) for each in processes.list],
        "other_bytes": processes.other,
        "note": processes.note,
    }
