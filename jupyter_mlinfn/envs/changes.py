"""The job that changes an environment: install, update, remove, go back, adopt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import ConflictError, DependencyError, MlinfnError
from ..jobs.models import JobContext
from ..uninterrupted import in_thread, to_the_end
from .bytecode import BytecodeCompiler
from .catalogue import Catalogue
from .marker import read_marker
from .models import Environment, Progress
from .places import Places
from .prefix import environment_id
from .writer import Writers

if TYPE_CHECKING:
    from .service import RunningKernel

KIND = "envs.change"


class Changer(Protocol):
    """What makes changes (`engine.Engine`)."""

    async def change(
        self,
        request: Mapping[str, Any],
        *,
        channels: Sequence[str] | None = None,
        on_event: Callable[[dict[str, Any]], None],
    ) -> dict[str, Any]: ...

    async def settle(self, prefix: Path, history: Path) -> dict[str, Any]: ...


class Environments(Protocol):
    """Of `service.EnvironmentService`, what is needed here."""

    async def running(self, environments: Sequence[Environment]) -> dict[str, Sequence[RunningKernel]]: ...


@dataclass(frozen=True)
class Changing:
    """Work of kind `envs.change` (`jobs.models.Work`).

    Attributes:
        envs: who knows the kernels that run in environments (`service.EnvironmentService`).
        changed: told of each environment that was changed.
        trimmed: called after each change, to keep the revisions within their limit.
    """

    places: Places
    changer: Changer
    catalogue: Catalogue
    compiler: BytecodeCompiler
    writers: Writers
    envs: Environments
    changed: Callable[[Path], None]
    trimmed: Callable[[], Awaitable[None]]

    async def run(self, context: JobContext) -> dict[str, Any]:
        job = context.job
        prefix = await in_thread(self._prefix, job.request)
        context.progress(Progress("preparing"))
        async with self.writers.holding(prefix, job.title):
            await self.compiler.stop(prefix)
            if job.request["action"] == "adopt":
                settled = await self.changer.settle(prefix, self.places.history(prefix.name))
                result = {"revision": settled["revision"], "packages": []}
            else:
                result = await self.change(context, prefix, self.request(job.request, prefix, job.id))
                await self._install_again(context, prefix, result)
        done, _ = await to_the_end(self._offer(prefix, result))
        return done

    async def undo(self, context: JobContext) -> None:
        prefix = await in_thread(self._prefix, context.job.request)
        async with self.writers.holding(prefix, context.job.title):
            settled = await self.changer.settle(prefix, self.places.history(prefix.name))
        if settled["job"] == context.job.id:
            context.warn(
                f"It was too late to stop: the change is made, as revision {settled['revision']}. "
                "You can go back to the one before."
            )
            self.changed(prefix)

    async def change(self, context: JobContext, prefix: Path, request: Mapping[str, Any]) -> dict[str, Any]:
        """Make one change within a job; for who holds the environment.

        Once there is no way back, a cancellation comes too late and is ignored.
        """
        committing = asyncio.Event()

        def on_event(event: dict[str, Any]) -> None:
            if event["type"] == "progress":
                context.progress(Progress(**event["progress"]))
            elif event["type"] == "warning":
                context.warn(event["text"])
            elif event["type"] == "committing":
                committing.set()
            else:
                for line in event["lines"]:
                    context.log(line)

        channels = context.job.request.get("channels") or request["channels"]
        work = asyncio.ensure_future(self.changer.change(request, channels=channels, on_event=on_event))
        try:
            while not work.done():
                try:
                    await asyncio.wait([work])
                except asyncio.CancelledError:
                    if not committing.is_set():
                        raise
            return work.result()
        except DependencyError:
            # Its process was killed. What it had journalled is finished, and then it is done.
            settled = await self.changer.settle(prefix, self.places.history(prefix.name))
            if settled["job"] != request["change"]:
                raise
            context.log("the package engine was killed; what it had begun was finished")
            return {"revision": settled["revision"], "packages": []}
        finally:
            if not work.done():
                work.cancel()
                await asyncio.wait([work])

    def request(self, asked: Mapping[str, Any], prefix: Path, change: str) -> dict[str, Any]:
        """What the worker is asked (`worker.parts.Request`)."""
        marker = read_marker(prefix)
        names = ("action", "specs", "manager", "target", "expected", "by", "cuda", "keep_cuda", "cuda_asked")
        return {
            **{name: asked[name] for name in names if asked.get(name) is not None},
            "prefix": str(prefix),
            "history": str(self.places.history(prefix.name)),
            "wheels": str(self.places.wheels),
            "trash": str(self.places.trash),
            "change": change,
            "channels": list(marker.channels) if marker else [],
        }

    async def install_pip(self, context: JobContext, prefix: Path, specs: Sequence[str], by: str) -> None:
        """Install requirements by pip into an environment that a job has just made.

        Raises:
            MlinfnError: pip could not; the environment is as it was.
        """
        asked = {"action": "install", "manager": "pip", "specs": list(specs), "by": by}
        async with self.writers.holding(prefix, context.job.title):
            await self.compiler.stop(prefix)
            try:
                request = await in_thread(self.request, asked, prefix, f"{context.job.id}-pip")
                await self.change(context, prefix, request)
            finally:
                self.catalogue.forget_size(prefix)
                self.compiler.start(prefix)
                self.changed(prefix)

    async def _install_again(self, context: JobContext, prefix: Path, result: dict[str, Any]) -> None:
        """pip's packages, after Python has become another one: they belong to its minor version."""
        again = result.get("install_again")
        if not again:
            return
        context.log(f"installing again for the new Python: {', '.join(again)}")
        asked = {"action": "install", "manager": "pip", "specs": again, "by": context.job.request.get("by")}
        request = self.request(asked, prefix, f"{context.job.id}-pip")
        try:
            done = await self.change(context, prefix, request)
        except MlinfnError as error:
            context.warn(
                f"{', '.join(again)} could not be installed for the new Python: {error.reason or error}"
            )
        else:
            result["revision"] = done["revision"]
            result["packages"] = [*result["packages"], *done["packages"]]

    async def _offer(self, prefix: Path, result: dict[str, Any]) -> dict[str, Any]:
        mine = environment_id(prefix)
        found = [each for each in (await self.catalogue.look()).environments if each.id == mine]
        self.catalogue.forget_size(prefix)
        self.compiler.start(prefix)
        self.changed(prefix)
        await self.trimmed()
        running = await self.envs.running(found)
        return {
            "env_id": mine,
            "revision": result["revision"],
            "packages": result["packages"],
            "kernels": [asdict(kernel) for kernel in running.get(mine, ())],
        }

    def _prefix(self, request: Mapping[str, Any]) -> Path:
        """The environment that was meant, if it is still that one."""
        prefix = Path(str(request.get("prefix")))
        if not self.places.anchor.is_dir():
            raise DependencyError(
                f"{self.places.display(prefix)} cannot be changed now.",
                reason="Your private storage is away.",
                hint="Try again when it is back.",
            )
        self.places.check_own(prefix)
        marker = read_marker(prefix)
        if marker is None or marker.job != request.get("made_by"):
            raise ConflictError(
                f"{self.places.display(prefix)} is another environment now, or none any more.",
                reason="It was removed, or made anew, after this change was asked for.",
                hint="Look at the list of environments.",
            )
        return prefix
