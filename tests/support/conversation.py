"""A Python program that is asked a line, and answers with a line of JSON, again and again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from . import nursery
from .patience import PATIENCE


class Conversation:
    """With a module that is run in a process of its own.

    Args:
        environment: the whole of it.
        fresh: in an interpreter of its own; else it is forked, see `nursery`.
    """

    def __init__(self, module: str, *, environment: Mapping[str, str], fresh: bool = False) -> None:
        questions, ask = os.pipe()
        answers, answer = os.pipe()
        try:
            self.process = (subprocess.Popen if fresh else nursery.start)(
                [sys.executable, "-m", module],
                env=environment,
                cwd=nursery.REPOSITORY,
                stdin=questions,
                stdout=answer,
            )
        finally:
            os.close(questions)
            os.close(answer)
        self._ask = os.fdopen(ask, "w")
        self._answers = os.fdopen(answers)

    def __call__(self, question: str) -> Any:
        self._ask.write(f"{question}\n")
        self._ask.flush()
        line = self._answers.readline()
        assert line, "the process ended"
        return json.loads(line)

    def end(self) -> int:
        """Ask nothing more; its exit code."""
        self._ask.close()
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE)
        with suppress(BrokenPipeError):  # a question that it did not read
            self._ask.close()
        self._answers.close()
