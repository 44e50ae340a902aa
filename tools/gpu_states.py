"""Write docs/gpu-states.md from what the code says of each state.

python tools/gpu_states.py
"""

from __future__ import annotations

from pathlib import Path

from jupyter_mlinfn.gpu.states import page

FILE = Path(__file__).parents[1] / "docs" / "gpu-states.md"


def main() -> None:
    FILE.write_text(page())
    print(f"Wrote {FILE}")


if __name__ == "__main__":
    main()
