"""Processes named in short."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.gpu.shortname import command, program


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["/env/bin/python", "/home/me/train.py", "--token", "hf_secret"], "python train.py"),
        (["/env/bin/python3.12", "-u", "-W", "ignore", "-X", "dev", "train.py"], "python3.12 train.py"),
        (["python", "-m", "torch.distributed.run", "--x=secret", "a.py"], "python -m torch.distributed.run"),
        (["python", "-m", "--password=secret"], "python"),
        (["python", "-c", "login('secret')", "train.py"], "python"),
        (["python", "-Ic", "login('secret')"], "python"),
        (["python", "https://user:secret@host/run.py?key=secret"], "python"),
        (["python", "secret"], "python"),
        (["python", "/env/bin/torchrun", "--nproc", "2", "train.py"], "python torchrun"),
        (["bash", "-lc", "export KEY=secret; python train.py"], "bash"),
        (["-bash"], "bash"),
        (["bash", "run.sh", "secret.sh"], "bash run.sh"),
        (["perl", "-e", "secret.pl"], "perl"),
        (["Rscript", "--vanilla", "fit.R"], "Rscript fit.R"),
        (["./solver", "--key", "secret"], "solver"),
        (["postgres: me secret idle"], "name"),
        (["ray::train(secret)"], "name"),
        ([], "name"),
    ],
)
def test_a_command_shows_no_secret(arguments: list[str], shown: str) -> None:
    assert command(arguments, "name") == shown


def test_a_name_of_odd_characters_is_shown_without_them() -> None:
    assert program([], "a\x1b[31m<b>") == "a??31m?b?"
    assert program([], "") == "process"
