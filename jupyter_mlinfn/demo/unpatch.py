"""Undoing what a Linux distribution changed in its standard library about where packages go.

Debian's Python installs into `/usr/local/lib/python3.N/dist-packages` and reads `dist-packages`
only (https://www.debian.org/doc/packaging-manuals/python-policy/). In a conda prefix the
places are those of CPython itself. The functions that decide are defined anew behind the
distribution's, so that no line of its patches has to be recognised.
"""

from __future__ import annotations

from collections.abc import Iterable

from .package import PackageFile

_SYSCONFIG = """
# jupyter-mlinfn: the places of CPython itself, in a conda prefix
def _get_preferred_schemes():
    return {"prefix": "posix_prefix", "home": "posix_home", "user": "posix_user"}


for _foreign_scheme in ("posix_local", "deb_system", "rpm_prefix"):
    _INSTALL_SCHEMES.pop(_foreign_scheme, None)
del _foreign_scheme
"""

_DISTUTILS_SYSCONFIG = """
# jupyter-mlinfn: the places of CPython itself, in a conda prefix
def get_python_lib(plat_specific=0, standard_lib=0, prefix=None):
    if prefix is None:
        prefix = BASE_EXEC_PREFIX if plat_specific else BASE_PREFIX
        if not standard_lib:
            prefix = EXEC_PREFIX if plat_specific else PREFIX
    library = os.path.join(prefix, "lib", "python" + get_python_version())
    return library if standard_lib else os.path.join(library, "site-packages")
"""

# The module `site` is frozen into the interpreter from 3.11 on, so that its file is not read. This one
# is: the distribution's own sitecustomize has the same place and is left out of the package.
_SITECUSTOMIZE = b'''"""jupyter-mlinfn: packages are in site-packages, as in CPython, not in dist-packages."""

import os
import site
import sys


def getsitepackages(prefixes=None):
    """The site-packages folder of each prefix, in order and once."""
    version = "python%d.%d" % sys.version_info[:2]
    folders = []
    for prefix in dict.fromkeys(site.PREFIXES if prefixes is None else prefixes):
        for libdir in dict.fromkeys((sys.platlibdir, "lib")):
            if prefix:
                folders.append(os.path.join(prefix, libdir, version, "site-packages"))
    return folders


site.getsitepackages = getsitepackages
for _folder in getsitepackages():
    if os.path.isdir(_folder) and _folder not in sys.path:
        site.addsitedir(_folder)
'''

# The defaults of sysconfig's later functions call what is replaced while the module is being read.
_BEFORE_FIRST_USE = "\ndef get_preferred_scheme("
_FOREIGN = ("dist-packages", "posix_local", "rpm_prefix")


def undo_distribution_patches(files: Iterable[PackageFile], short_version: str) -> list[PackageFile]:
    """`files` of a standard library with CPython's own places.

    The text decides whether there is anything to undo: asked from a venv, Debian's Python names
    the same default scheme as CPython.
    """
    root = f"python{short_version}/"
    mended = []
    for file in files:
        place = file.path.partition(root)[2]
        if place in ("sysconfig.py", "sysconfig/__init__.py") and _is_foreign(file):
            file = _with(file, _SYSCONFIG)
        elif place == "distutils/sysconfig.py" and _is_foreign(file):
            file = _with(file, _DISTUTILS_SYSCONFIG)
        elif place == "site.py" and _is_foreign(file):
            mended.append(PackageFile(file.path.replace("site.py", "sitecustomize.py"), _SITECUSTOMIZE))
        mended.append(file)
    return mended


def _is_foreign(file: PackageFile) -> bool:
    text = file.read().decode()
    return any(word in text for word in _FOREIGN)


def _with(file: PackageFile, code: str) -> PackageFile:
    """`file` with `code` behind what it replaces and before it is used."""
    text = file.read().decode()
    head, found, tail = text.partition(_BEFORE_FIRST_USE)
    text = f"{head}{code}\n{found}{tail}"
    return PackageFile(file.path, text.encode(), file.executable)
