"""Ask the real nb_conda_kernels for its kernel names, and keep its answers for the tests.

    python tools/kernel_name_table.py CHECKOUT [--output tests/envs/kernel_name_table.json]

CHECKOUT is a checkout of https://github.com/anaconda/nb_conda_kernels; nothing of it is kept but
its version and its answers. Each layout (see `LAYOUTS`) is laid out as real folders below a
temporary root, and the manager runs in a process of its own with a `conda` that answers with
that layout. Its logic is untouched; only the file system it sees is shifted, so that `/envs`
at the root needs no root rights: paths of the layout are looked up below the temporary root.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PYTHON = {"python3": "Python 3 (ipykernel)"}
R = {"ir": "R"}

# Each layout is one machine: where conda is, where the server runs, and for each prefix the
# display names of its kernels by their raw names.
LAYOUTS: list[dict[str, Any]] = [
    {
        "about": "the platform: conda in the image, shared environments at the root, private ones",
        "base": "/opt/conda",
        "current": "/opt/conda",
        "prefixes": {
            "/opt/conda": PYTHON,
            "/opt/conda/envs/ml": PYTHON,
            "/opt/conda/envs/Stats": {**R, "python3": "Python 3"},
            "/opt/conda/conda-bld/pkg_1/_test_env": PYTHON,
            "/opt/other/envs/ml": PYTHON,
            "/opt/other/envs/geo": PYTHON,
            "/opt/other": PYTHON,
            "/envs/pinn": PYTHON,
            "/envs/ROOT-6.32": {"python3": "Python 3.11 (ROOT)", "root": "ROOT C++"},
            "/envs/empty": {},
            "/home/jovyan/private/environments/pinn": PYTHON,
            "/home/jovyan/private/environments/torch": PYTHON,
            "/home/jovyan/private/environments/many": {
                "python3": "Python 3 (ipykernel)",
                "ir": "R",
                "xcpp17": "C++17",
                "xeus-python": "Python 3.12 (XPython)",
                "bash": "Bash",
            },
            "/home/jovyan/.conda/envs/mine": PYTHON,
            "/home/jovyan/.conda/envs/torch": PYTHON,
            "/cvmfs/experiment.org/py310": PYTHON,
        },
    },
    {
        "about": "collisions: equal basenames, counters, cleaned names, letters of either case",
        "base": "/opt/conda",
        "current": "/opt/conda/envs/lab",
        "prefixes": {
            "/opt/conda": {},
            "/opt/conda/envs/lab": PYTHON,
            "/opt/conda/envs/a_b": PYTHON,
            "/data/a b": PYTHON,
            "/data/one/x": PYTHON,
            "/data/three/x": PYTHON,
            "/data/two/x": PYTHON,
            "/data/two/x-2": PYTHON,
            "/data/case/MyEnv": PYTHON,
            "/data/case/myenv": PYTHON,
            "/srv/a/team/envs/x": PYTHON,
            "/srv/b/team/envs/x": PYTHON,
            "/usr/local/envs/lab": PYTHON,
            "/data/envs/lab": PYTHON,
            "/data/base": PYTHON,
        },
    },
    {
        "about": "characters: accents, other scripts, spaces, brackets of a kernel's name",
        "base": "/home/Zoë/miniforge3",
        "current": "/usr",
        "prefixes": {
            "/home/Zoë/miniforge3": PYTHON,
            "/home/Zoë/miniforge3/envs/été": PYTHON,
            "/home/Zoë/miniforge3/envs/研究": PYTHON,
            "/home/Zoë/miniforge3/envs/ﬁt ½": PYTHON,
            "/home/Zoë/miniforge3/envs/c++": {"xcpp17": "C++17", "py thon!": "Pythonesque", "ÀÉ": "Accents"},
            "/home/Zoë/miniforge3/envs/dots.and_under-scores": {
                "python2": "Python 2",
                "julia-1.10": "Julia 1.10",
            },
            "/home/Zoë/miniforge3/envs/space here": {"python3": "My Python"},
            "/home/Zoë/envs/$HOME": PYTHON,
            "/home/Zoë/Ünï/envs/x": PYTHON,
        },
    },
    {
        "about": "base that calls itself otherwise, and sorts in the middle",
        "base": "/m/conda",
        "base_name": "root",
        "current": "/m/conda",
        "prefixes": {
            "/m/conda": {"python3": "Python 3", "ir": "R"},
            "/a/root": PYTHON,
            "/z/root": PYTHON,
            "/m/conda/envs/root": PYTHON,
            "/m/conda/envs/base": PYTHON,
        },
    },
]

# Run with: checkout, root of the tree, the layout as JSON. Prints the answer as JSON.
_ASK = r"""
import builtins, glob, json, logging, os, sys
checkout, root, layout = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
sys.path.insert(0, checkout)
from nb_conda_kernels import __version__
from nb_conda_kernels.manager import CondaKernelSpecManager
prefixes = tuple(layout["prefixes"])
real_stat, real_open, real_glob = os.stat, builtins.open, glob.glob
def stat(path, *args, **options):
    # The manager also stats its prefixes in lower and upper case, to tell whether case counts.
    known = isinstance(path, str) and path.lower() in {prefix.lower() for prefix in prefixes}
    return real_stat(root + path if known else path, *args, **options)
def inside(path):
    return isinstance(path, str) and any(path.startswith(p + "/share/jupyter/") for p in prefixes)
os.stat = stat
def open_shifted(path, *args, **options):
    return real_open(root + path if inside(path) else path, *args, **options)
builtins.open = open_shifted
glob.glob = lambda pattern: sorted(path[len(root):] for path in real_glob(root + pattern))
sys.prefix = layout["current"]
manager = CondaKernelSpecManager(log=logging.getLogger("quiet"), base_name=layout.get("base_name", "base"))
answer = {
    name: {"display_name": spec.display_name, "metadata": spec.metadata}
    for name, spec in sorted(manager._conda_kspecs.items())
}
os.stat, builtins.open = real_stat, real_open
print(json.dumps({"version": __version__, "kernels": answer}))
"""


def ask(checkout: Path, layout: dict[str, Any]) -> dict[str, Any]:
    """``{"version", "kernels": {name: {"display_name", "metadata"}}}`` as nb_conda_kernels answers."""
    with tempfile.TemporaryDirectory() as root:
        for prefix, kernels in layout["prefixes"].items():
            (Path(root + prefix) / "conda-meta").mkdir(parents=True)
            (Path(root + prefix) / "conda-meta" / "history").touch()
            for raw_name, display_name in kernels.items():
                folder = Path(root + prefix) / "share" / "jupyter" / "kernels" / raw_name
                folder.mkdir(parents=True)
                spec = {"argv": ["python", "-f", "{connection_file}"], "display_name": display_name}
                (folder / "kernel.json").write_text(json.dumps(spec))
        conda = Path(root) / "conda"
        info = {
            "conda_prefix": layout["base"],
            # conda/core/envs_manager.py, list_all_known_prefixes: sorted as strings.
            "envs": sorted({*layout["prefixes"], layout["base"]}),
            "envs_dirs": [f"{layout['base']}/envs"],
        }
        conda.write_text(f"#!{sys.executable}\nprint({json.dumps(info)!r})\n")
        conda.chmod(0o755)
        command = [sys.executable, "-c", _ASK, str(checkout), root, json.dumps(layout)]
        environment = os.environ | {"CONDA_EXE": str(conda)}
        output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    answer: dict[str, Any] = json.loads(output)
    return answer


def commit_of(checkout: Path) -> str | None:
    """The commit of the checkout; None where it is no git checkout."""
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--commit", help="where the checkout is no git checkout")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parents[1] / "tests" / "envs" / "kernel_name_table.json"
    )
    arguments = parser.parse_args()
    table: dict[str, Any] = {"nb_conda_kernels": None, "layouts": []}
    for layout in LAYOUTS:
        answer = ask(arguments.checkout, layout)
        table["nb_conda_kernels"] = {
            "version": answer["version"],
            "commit": arguments.commit or commit_of(arguments.checkout),
        }
        table["layouts"].append({**layout, "answer": answer["kernels"]})
    arguments.output.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n")
    prefixes = sum(len(layout["prefixes"]) for layout in LAYOUTS)
    print(f"{prefixes} prefixes in {len(LAYOUTS)} layouts -> {arguments.output}")


if __name__ == "__main__":
    main()
