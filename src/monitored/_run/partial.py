"""`PartialRun`: one run in several calls, each with some of the feeds and some of the fetches."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from monitored import errors
from monitored._graph.operation import Operation, Tensor
from monitored._plan.build import build_plan
from monitored._plan.plan import HostStep, Plan
from monitored._run.executor import Executor, PlanRunner

__all__ = ["PartialRun", "PartialRuns"]

Element = Tensor | Operation


class PartialRuns:
    """The partial runs of a session that are under way, and the plans of their steps, which later ones use again.

    Args:
        executor: The session's executor.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._lock = threading.Lock()
        self._runs: dict[str, PartialRun] = {}
        self._runners: dict[Any, PlanRunner] = {}
        self._count = 0

    def begin(self, fetches: Sequence[Element], feeds: Sequence[Tensor]) -> str:
        """Begins a partial run.

        Args:
            fetches: Everything that will be fetched.
            feeds: Everything that will be fed.

        Returns:
            What names it.
        """
        tensors = [f.name for f in fetches if isinstance(f, Tensor)]
        operations = [f.name for f in fetches if isinstance(f, Operation)]
        names = ",".join(sorted(t.name for t in feeds)), ",".join(sorted(tensors)), ",".join(sorted(operations))
        with self._lock:
            handle = f"{names[0]}->{names[1]}/{names[2]}/1/;{self._count}"
            self._count += 1
            self._runs[handle] = PartialRun(fetches, feeds, self._executor, self._runners)
        return handle

    def find(self, handle: Any) -> PartialRun:
        """The partial run of a name.

        Raises:
            InvalidArgumentError: If there is none, or it is over.
        """
        run = self._runs.get(handle) if isinstance(handle, str) else None
        if run is None:
            raise errors.InvalidArgumentError(
                None, None, f"Must run 'setup' before performing partial runs! No partial run goes by {handle!r}."
            )
        return run

    def end(self, handle: str) -> None:
        """Forgets a partial run that is over, or failed."""
        with self._lock:
            self._runs.pop(handle, None)


class PartialRun:
    """One run in several calls.

    Each call carries out what its fetches need, and nothing twice: what the rest will need of it is kept.

    Args:
        fetches: Everything that will be fetched.
        feeds: Everything that will be fed.
        executor: The session's executor.
        runners: Plans made before, by what they do; new ones are added.
    """

    def __init__(
        self, fetches: Sequence[Element], feeds: Sequence[Tensor], executor: Executor, runners: dict[Any, PlanRunner]
    ) -> None:
        self.lock = threading.Lock()
        self._fetches, self._feeds = tuple(fetches), tuple(feeds)
        self._executor, self._runners = executor, runners
        self._known: dict[Tensor, Any] = {}  # fed, or computed and still needed
        self._done: frozenset[Operation] = frozenset()
        self._unfed = set(feeds)
        self._unfetched = {fetch for fetch in fetches if isinstance(fetch, Tensor)}

    @property
    def is_over(self) -> bool:
        """Whether everything has been fed and fetched."""
        return not self._unfed and not self._unfetched

    def check(self, fetches: Sequence[Tensor], feeds: Sequence[Tensor]) -> None:
        """Checks what a call wants and gives.

        Raises:
            InvalidArgumentError: If it was not named at setup, was there before, or needs what has not been fed.
        """
        for kind, past, given, all_of, left in (
            ("feed", "fed", feeds, self._feeds, self._unfed),
            ("fetch", "fetched", fetches, self._fetches, self._unfetched),
        ):
            for tensor in given:
                if tensor not in all_of:
                    raise self._problem(f"The {kind} {tensor.name} was not specified in partial_run_setup.")
                if tensor not in left:
                    raise self._problem(f"The {kind} {tensor.name} has already been {past}.")
        missing = self._unfed.difference(feeds)
        seen: set[Operation] = set()
        stack = list(fetches)
        while stack:
            tensor = stack.pop()
            if tensor in self._known or tensor in feeds:
                continue
            if tensor in missing:
                raise self._problem(f"Fetch {tensor.name} can't be computed from the feeds that have been fed so far.")
            if tensor.op not in seen and tensor.op not in self._done:
                seen.add(tensor.op)
                stack.extend(tensor.op.inputs)

    @staticmethod
    def _problem(message: str) -> errors.OpError:
        return errors.InvalidArgumentError(None, None, message)

    def run(self, fetches: Sequence[Tensor], feeds: Sequence[Tensor], values: Sequence[Any]) -> list[Any]:
        """Carries out what some fetches need.

        Args:
            fetches: The tensors to fetch.
            feeds: The tensors that are fed now.
            values: Their values.

        Returns:
            The fetched values.

        Raises:
            OpError: If an operation fails.
        """
        self._known.update(zip(feeds, values, strict=True))
        self._unfed.difference_update(feeds)
        self._unfetched.difference_update(fetches)
        wanted: tuple[Element, ...] = tuple(fetches)
        if not self._unfetched and not self._unfed:  # operations run with the last call, if not before
            wanted += tuple(fetch for fetch in self._fetches if isinstance(fetch, Operation))
        key = (self._fetches, self._feeds, wanted, tuple(self._known), self._done)
        runner = self._runners.get(key)
        if runner is None:
            runner = self._runners[key] = self._planned(wanted)
        results = runner.run(list(self._known.values()))
        self._known.update(zip(runner.plan.fetches, results, strict=True))
        self._done |= _operations(runner.plan)
        return [self._known[tensor] for tensor in fetches]

    def _planned(self, wanted: tuple[Element, ...]) -> PlanRunner:
        """A plan that also gives what the rest of the run needs of it."""
        known = tuple(self._known)
        now = _operations(build_plan(wanted, known, done=self._done))
        rest = _operations(build_plan(self._fetches, (*known, *self._unfed), done=self._done)) - now
        needed = [t for op in rest for t in op.inputs] + [t for t in self._fetches if isinstance(t, Tensor)]
        kept = tuple(
            dict.fromkeys(t for t in needed if t.op in now and t not in self._known and not t.dtype._is_ref_dtype)
        )
        return PlanRunner(self._executor, (*wanted, *kept), known, self._done)


def _operations(plan: Plan) -> frozenset[Operation]:
    steps = plan.steps
    return frozenset(op for step in steps for op in ((step.op,) if isinstance(step, HostStep) else step.ops))
