"""All benchmarks, side by side with peers, into docs/benchmarks.md: `make bench`.

    python -m bench [--conda PATH] [--only NAME…] [--records NUMBER] [--output FILE]

In about twenty minutes on two cores; with MLINFN_PROOF=1 memory is measured on repodata of
conda-forge's full size and everything that is quick is repeated more often.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from jupyter_mlinfn.demo.channel import build_channel, default_folder
from tests.support.proof import sample

from . import (
    bundle,
    change,
    create,
    gpu,
    idle,
    lag,
    listing,
    memory,
    page,
    rescue,
    small_flavour,
    startup,
    storage,
)
from .report import Machine, Section, say

_PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks beside peers.")
    parser.add_argument("--conda", metavar="PATH", help="a conda to compare with, if it is not on PATH")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help="create, change, list, lag, startup, bundle, memory, gpu, idle, storage",
    )
    parser.add_argument(
        "--records", type=int, default=sample(300_000, 900_000), help="of the repodata; default %(default)s"
    )
    parser.add_argument("--output", type=Path, help=f"page whose parts to replace; default docs/{_PAGE.name}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="jupyter-mlinfn-bench-") as name:
        scratch = Path(name)
        channel = build_channel(default_folder(), log=say)
        questions: dict[str, Callable[[], list[Section]]] = {
            "create": lambda: [create.measure(channel, scratch, sample(3, 5), sample(12, 25), options.conda)],
            "change": lambda: [change.measure(channel, scratch, sample(6, 15), options.conda)],
            "list": lambda: [listing.section(sample(20, 100))],
            "lag": lambda: [lag.measure(channel, scratch, sample(5, 15))],
            "startup": lambda: [startup.measure(scratch, sample(8, 30))],
            "bundle": lambda: [bundle.measure(scratch)],
            "memory": lambda: _memory(scratch, options.records),
            "gpu": lambda: gpu.measure(scratch, sample(1, 4), sample(3, 10)),
            "idle": lambda: idle.measure(scratch, sample(1, 5), sample(31, 120)),
            "rescue": lambda: rescue.measure(scratch / "rescue", sample(3, 9)),
            "storage": lambda: [storage.measure(scratch, sample(3, 15))],
        }
        if unknown := set(options.only or ()) - set(questions):
            parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
        machine = Machine()
        sections = [
            section
            for name, ask in questions.items()
            if name in (options.only or questions)
            for section in ask()
        ]
    measured = "; ".join(machine.describe())
    print(page.updated("", sections, measured))
    output = options.output or _PAGE
    page.update(output, sections, measured)
    say(f"Written to {output}")


def _memory(scratch: Path, records: int) -> list[Section]:
    """Both questions about memory, on one generated channel."""
    channel = scratch / "big"
    say(f"memory: generating {records:,} records")
    memory.build(channel, records)
    return [memory.section(channel, scratch, records), small_flavour.measure(channel, scratch)]


if __name__ == "__main__":
    main()
