"""The environments as openapi.yaml describes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .cuda import Choice
from .models import Environment, Plan
from .outside import Look
from .places import Places, Space
from .scan import ScanResult
from .service import EnvironmentService, NewEnvironment, RunningKernel
from .writer import Writer

CHECK_IN_LIST = ("verdict", "summary", "time", "stale")
"""What a list tells of the last check of the GPU (`gpu_check.service.view`)."""


def environment(
    places: Places,
    env: Environment,
    running: Sequence[RunningKernel],
    look: Look | None = None,
    writer: Writer | None = None,
    check: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """`#/components/schemas/Environment`."""
    return {
        "id": env.id,
        "name": env.name,
        "label": env.label,
        "prefix": str(env.prefix),
        "display": places.display(env.prefix),
        "origin": env.origin,
        "python": env.python,
        "package_count": env.package_count,
        "created": env.created.isoformat().replace("+00:00", "Z") if env.created else None,
        "size": env.size,
        "size_own": env.size_own,
        "kernels": [
            {"name": kernel.name, "display_name": kernel.display_name, "language": kernel.language}
            for kernel in env.kernels
        ],
        "running": [asdict(kernel) for kernel in running],
        "requested_specs": list(env.requested_specs),
        "channels": list(env.channels),
        "pip_specs": list(env.pip_specs),
        "adopted": env.adopted,
        "revision": look.revision if look else None,
        "drifted": look.drift is not None if look else None,
        "writer": asdict(writer) if writer else None,
        "gpu_check": {name: check[name] for name in CHECK_IN_LIST} if check else None,
        "cuda": env.cuda or None,
        "link_scripts_not_run": list(env.link_scripts_not_run),
    }


def listing(
    service: EnvironmentService,
    found: ScanResult,
    running: Mapping[str, Sequence[RunningKernel]],
    space: Space,
    problem: str | None,
    states: Mapping[str, tuple[Look | None, Writer | None]],
    cuda: Choice,
    checks: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """`#/components/schemas/EnvironmentList`."""
    places = service.places
    return {
        "environments": [
            environment(places, env, running[env.id], *states[env.id], checks.get(env.id))
            for env in found.environments
        ],
        "places": {
            "private": {
                "path": str(places.environments),
                "display": places.display(places.environments),
                "free_bytes": space.free_bytes,
                "free_files": space.free_files,
                "writable": problem is None,
                "problem": problem,
            },
            "shared": [str(folder) for folder in places.shared],
            "channels": service.engine.channels(),
        },
        "cuda": cuda.to_json(),
        "warnings": [*found.warnings, *service.engine.warnings(), *service.cuda.warnings()],
    }


def plan(places: Places, wanted: NewEnvironment, planned: Plan, space: Space) -> dict[str, Any]:
    """`#/components/schemas/Plan`."""
    prefix = places.prefix(wanted.name)
    body = planned.to_json()
    if wanted.pip:
        later = "What pip is to install is worked out when the conda packages are there: "
        body["warnings"] = [*body["warnings"], later + ", ".join(wanted.pip)]
    return (
        body
        | {
            "name": wanted.name,
            "prefix": str(prefix),
            "display": places.display(prefix),
            "cuda": wanted.cuda.to_json(),
        }
        | fit(planned.installed_bytes, planned.installed_files, space)
    )


def fit(installed_bytes: int, installed_files: int, space: Space) -> dict[str, Any]:
    """What is free, and whether the need fits."""
    return {
        "free_bytes": space.free_bytes,
        "free_files": space.free_files,
        "fits": (space.free_bytes is None or installed_bytes <= space.free_bytes)
        and (space.free_files is None or installed_files <= space.free_files),
    }
