"""What the command line shows of a job."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.envs.console import ProgressBar
from jupyter_mlinfn.jobs.models import Job, Progress


def test_a_job_that_says_nothing_yet_has_a_bar_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    job = Job("0" * 32, "create", "Create e", {}, {})
    with ProgressBar(job, enabled=True) as bar:
        bar.update()
        assert capsys.readouterr().err == ""
        job.progress = Progress("preparing")
        bar.update()
        assert "reparing" in capsys.readouterr().err
