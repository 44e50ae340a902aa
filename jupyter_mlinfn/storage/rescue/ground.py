"""Between which folders files are copied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import ConflictError

if TYPE_CHECKING:
    from ..walk import Plan


@dataclass(frozen=True)
class Ground:
    """The folders as they are now.

    Attributes:
        plan: what would be lost.
        private: folder that lasts, resolved; None where there is none.
        why: there is none, a sentence.
        display: of that folder, as the user knows it.
    """

    plan: Plan
    private: str | None
    why: str = ""
    display: str = "private"

    def lasting(self) -> str:
        """The folder that lasts.

        Raises:
            ConflictError: there is none.
        """
        if self.private is None:
            raise ConflictError(
                "Nothing can be rescued.",
                reason=self.why,
                hint="Download what you need, or ask your administrator for private storage.",
            )
        return self.private

    def absolute(self, path: str) -> str:
        """A path that may be below the root, as JupyterLab names it."""
        return path if path.startswith("/") else f"{self.plan.bases[0].rstrip('/')}/{path}"

    def root_path(self, path: str) -> str | None:
        """A path as JupyterLab names it; None where it does not show it."""
        private = self.private
        # That may be a link in the root.
        if private is not None and path.startswith(f"{private}/") and not self.display.startswith("/"):
            return self.display + path[len(private) :]
        root = self.plan.bases[0].rstrip("/") + "/"
        return path.removeprefix(root) if path.startswith(root) else None
