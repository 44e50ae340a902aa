"""How big is the frontend that every browser loads?

A production build in a copy of labextension/, so that a development build beside it stays.
"""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
from pathlib import Path

from .report import NOT_PRESENT, Section, say

_SOURCE = Path(__file__).resolve().parent.parent / "labextension"


def measure(scratch: Path) -> Section:
    """The table: bytes as served and with gzip."""
    title = "Bundle size"
    if not (_SOURCE / "node_modules").is_dir():
        return Section(title, "Needs labextension/node_modules.", ["chunk", "bytes"], [["all", NOT_PRESENT]])
    say("bundle: production build")
    folder = scratch / "bundle"
    shutil.copytree(
        _SOURCE,
        folder / "labextension",
        ignore=shutil.ignore_patterns("node_modules", "lib", "*.tsbuildinfo", "coverage", ".yarn"),
    )
    (folder / "labextension" / "node_modules").symlink_to(_SOURCE / "node_modules")
    (folder / "jupyter_mlinfn").mkdir()
    for command in (["node_modules/.bin/tsc"], [sys.executable, "-m", "jupyter_builder.main", "build", "."]):
        subprocess.run(command, cwd=folder / "labextension", check=True, capture_output=True, timeout=300)
    chunks = sorted((folder / "jupyter_mlinfn" / "labextension" / "static").glob("*.js"))
    sizes = {path.name: (path.stat().st_size, len(gzip.compress(path.read_bytes(), 9))) for path in chunks}
    shutil.rmtree(folder)
    rows = [[name, _kb(plain), _kb(packed)] for name, (plain, packed) in sizes.items()]
    rows.append(["in all", *(_kb(sum(column)) for column in zip(*sizes.values(), strict=True))])
    return Section(
        title,
        "Production build of the labextension; chunks other than the entry are loaded when they are needed.",
        ["chunk", "plain", "gzip -9"],
        rows,
    )


def _kb(size: int) -> str:
    return f"{size / 1000:.1f} kB"
