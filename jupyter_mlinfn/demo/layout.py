"""The folders of the demo: what a platform mounts into a user's container, as plain folders.

DIR/work            ephemeral; what JupyterLab shows; emptied at each start
DIR/work/private    lasts; also the user's home: settings, kernelspecs, environments
DIR/work/shared     lasts; everybody's
DIR/envs            environments for everybody, read-only
DIR/.demo           the demo's own: the server's configuration and log
"""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadInputError

_MARK = ".jupyter-mlinfn-demo"
_READ_ONLY = ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)

_WELCOME = """# A small platform

* `private/` lasts. It is yours alone, and environments of your own are made in it.
* `shared/` lasts, and your group sees it too.
* Everything else here, this file included, is gone at the next start.

**Try it:** in the launcher, click *New environment*, call it `first`, ask for `mlinfn-plots` and create it.
Its kernel is there the second it is done.
The environment `physics` is for everybody: you can use it, not change it.
Make a notebook here, which does not last, and click *Free* in the status bar: it tells what would be lost.

Where the channel is the one that the demo built, it has `python`, `ipykernel`, `pip`, and to try things out:
`mlinfn-hello`, `mlinfn-colours`, `mlinfn-plots`, `mlinfn-units`, `mlinfn-registered`, `mlinfn-echo`,
`mlinfn-gpu`.
`mlinfn-plots=1.2` together with `mlinfn-colours=2` cannot be solved: see what you are told.
"""

_WELCOME_TO_THE_GPU = """
## The GPU

It is **simulated**, for this machine has none: a slice of an A100, 1g.5gb, as a platform gives it to you.

**Try it:** click *GPU* in the launcher, then hold some of its memory in a notebook of *Python 3 (ipykernel)*:

```python
from jupyter_mlinfn.demo.driver.hold import hold

held = hold(gib=3)
```

The panel says which notebook holds it. `held.release()` gives it back, and so does shutting the kernel down,
also from the panel. A second notebook that wants another 3 GiB is told what is free.
In an environment that has the package `mlinfn-gpu`, it is `from mlinfn_gpu import hold`.
"""


@dataclass(frozen=True)
class Layout:
    """The paths of one demo, absolute."""

    folder: Path

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def private(self) -> Path:
        return self.work / "private"

    @property
    def shared(self) -> Path:
        return self.work / "shared"

    @property
    def environments(self) -> Path:
        """The folder of environments for everybody."""
        return self.folder / "envs"

    @property
    def own(self) -> Path:
        """What the demo keeps for itself."""
        return self.folder / ".demo"


def lay_out(folder: Path) -> Layout:
    """Make the folders, or make those of an earlier demo ready for the next start.

    Raises:
        BadInputError: `folder` holds something that is not a demo's.
    """
    folder = folder.expanduser().resolve()
    mark = folder / _MARK
    if folder.exists() and not folder.is_dir():
        raise BadInputError(f"{folder} is not a folder.", hint="Name a folder, or leave out --dir.")
    if folder.is_dir() and not mark.exists() and any(folder.iterdir()):
        raise BadInputError(
            f"{folder} holds files that are not of a demo.",
            reason="The demo empties its work folder at each start.",
            hint="Name a new or an empty folder.",
        )
    layout = Layout(folder)
    for place in (layout.private, layout.shared, layout.environments, layout.own):
        place.mkdir(parents=True, exist_ok=True)
    mark.touch()
    layout.own.chmod(stat.S_IRWXU)
    _empty_work(layout)
    (layout.work / "README.md").write_text(_WELCOME)
    (layout.shared / "group-notes.md").write_text("What your group shares goes here.\n")
    return layout


def tell_of_the_gpu(layout: Layout) -> None:
    """Say in the README that there is a simulated GPU, and how to try it out."""
    with (layout.work / "README.md").open("a") as readme:
        readme.write(_WELCOME_TO_THE_GPU)


def make_read_only(folder: Path) -> None:
    """Take the right to write from everybody, below `folder` and including it."""
    for parent, _, names in os.walk(folder, topdown=False):
        for name in names:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & _READ_ONLY)
        Path(parent).chmod(Path(parent).stat().st_mode & _READ_ONLY)


def remove(folder: Path) -> None:
    """Remove a demo, read-only parts included."""
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)


def _empty_work(layout: Layout) -> None:
    for path in layout.work.iterdir():
        if path in (layout.private, layout.shared):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
