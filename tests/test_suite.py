"""What the suite promises of itself: `tests/support/lanes.py`, `accounts.py` and `evidence.py`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .support.patience import PATIENCE

REPOSITORY = Path(__file__).parents[1]
PLUGINS = ("lanes", "accounts", "evidence")


def run(folder: Path, text: str, *options: str, workers: int = 0) -> tuple[int, str]:
    """The exit code of a run of these tests, and what it printed."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(text)
    plugins = [word for name in PLUGINS for word in ("-p", f"tests.support.{name}")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *options, f"-n{workers}", "-p", "no:randomly", folder],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_worker_that_dies_takes_no_other_test_with_it(tmp_path: Path) -> None:
    text = (
        "import os, pytest\n"
        "@pytest.mark.parametrize('number', range(24))\n"
        "def test_one(number): os._exit(9) if number == 7 else None\n"
    )
    code, said = run(tmp_path, text, workers=2)

    assert code == 1, said
    assert "24 tests collected, 24 reported\n" in said
    assert "1 failed, 23 passed" in said
    assert "died; what it had counted is not below" in said


def test_what_was_collected_and_did_not_run_is_named_and_red(tmp_path: Path) -> None:
    text = "def test_one(): pass\ndef test_two(): pass\n"
    (tmp_path / "conftest.py").write_text(
        "import pytest\n"
        "@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_runtest_protocol(item):\n"
        "    return True if item.name == 'test_two' else None\n"
    )
    code, said = run(tmp_path, text)

    assert code == 1, said
    assert "2 tests collected, 1 reported\n" in said
    assert "collected and never run: test_it.py::test_two" in said


def test_a_run_that_is_cut_short_names_nobody(tmp_path: Path) -> None:
    code, said = run(tmp_path, "def test_one(): assert 0\ndef test_two(): pass\n", "-x")

    assert code == 1, said
    assert "2 tests collected, 1 reported\n" in said
    assert "never run" not in said


def test_a_red_one_shows_the_ends_of_what_was_said_and_how_to_run_it_again(tmp_path: Path) -> None:
    text = (
        "import json, pathlib, pytest\n"
        "from tests.support.evidence import shown_if_red\n"
        "@pytest.fixture\n"
        "def log(tmp_path):\n"
        "    with shown_if_red('somebody said', tmp_path / 'log'): yield tmp_path / 'log'\n"
        "def test_one(log):\n"
        "    log.write_text('\\n'.join(f'line {number}' for number in range(100)))\n"
        "    print(*range(100), sep='\\n')\n"
        "    json.loads('{')\n"
    )
    code, said = run(tmp_path, text)

    assert code == 1, said
    assert "somebody said (call), the last 25 of 100 lines" in said
    assert "line 99" in said
    assert "line 74\n" not in said
    assert "Captured stdout call, the last 25 of 100 lines" in said
    # Of the library only the line that failed.
    assert "JSONDecodeError" in said
    assert "def raw_decode" not in said
    assert "make test ARGS=\" 'test_it.py::test_one'\"" in said
    assert len(said.splitlines()) < 120


def test_of_what_several_tests_share_also_what_it_said_before_is_shown(tmp_path: Path) -> None:
    text = (
        "import pytest\n"
        "from tests.support.evidence import shown_if_red\n"
        "@pytest.fixture(scope='module')\n"
        "def log(tmp_path_factory):\n"
        "    log = tmp_path_factory.mktemp('it') / 'log'\n"
        "    with shown_if_red('somebody said', log): yield log\n"
        "def test_one(log): log.write_text('it went wrong here')\n"
        "def test_two(log): assert 0\n"
    )
    code, said = run(tmp_path, text)

    assert code == 1, said
    assert "it went wrong here\n--- here this test began ---\n" in said


def test_a_nursery_that_dies_makes_nobody_wait(tmp_path: Path) -> None:
    """Nor does one die of somebody who was killed while asking it for a process."""
    text = (
        "import os, psutil, socket, sys, pytest\n"
        "from tests.support import nursery\n"
        "from tests.support.patience import wait_for\n"
        "COMMAND = [sys.executable, '-m', 'this']\n"
        "def test_one():\n"
        "    for words in (b'', b'.', b'.{'):\n"
        "        with socket.socket(socket.AF_UNIX) as asking:\n"
        "            asking.connect(os.environ[nursery.ADDRESS])\n"
        "            asking.sendall(words)\n"
        "    process = nursery.start(COMMAND)\n"
        "    assert process.wait() == 0\n"
        "    assert isinstance(process, nursery.Forked)\n"
        "def test_two():\n"
        "    children = psutil.Process().children(recursive=True)\n"
        "    (one,) = [each for each in children if 'tests.support.nursery' in each.cmdline()]\n"
        "    one.kill()\n"
        "    def refused():\n"
        "        try: nursery.start(COMMAND)\n"
        "        except (ConnectionError, EOFError): return True\n"
        "    assert wait_for(refused)\n"
    )
    (tmp_path / "conftest.py").write_text(
        "import pathlib, pytest, tempfile\n"
        "from tests.support.nursery import nursery\n"
        "@pytest.fixture(scope='session', autouse=True)\n"
        "def there_is_one():\n"
        "    with tempfile.TemporaryDirectory() as folder, nursery(pathlib.Path(folder)): yield\n"
    )
    code, said = run(tmp_path, text)

    assert code == 0, said


def test_the_stacks_of_one_that_hangs_are_whole(tmp_path: Path) -> None:
    text = (
        "import threading\n"
        "def wait(depth): wait(depth - 1) if depth else threading.Event().wait()\n"
        "def test_one():\n"
        "    for _ in range(4): threading.Thread(target=wait, args=(10,), daemon=True).start()\n"
        "    this_is_what_hangs = threading.Event().wait()\n"
    )
    code, said = run(tmp_path, text, "--timeout=1")

    assert code == 1, said
    assert said.count("~ Stack of ") == 4
    assert "this_is_what_hangs" in said
