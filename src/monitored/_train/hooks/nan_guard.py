"""`NanGuardHook`: a step whose loss or gradients are not finite changes nothing, and the log says what made them so.

The guard itself is a part of the compiled step (`UpdateGuard`). The hook only looks at the count of skipped steps now
and then, so that a run waits for the device no more often than without it. When it sees that some were skipped, it
looks closer: from then on it notes before each run what that will change in any case (random streams, the global step)
and what it takes from queues, until another step is skipped, which can then be carried out again just as it was. If
nothing random and no queue is involved, the last step can be replayed at once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from monitored import errors
from monitored._graph.graph import get_default_graph
from monitored._graph.operation import Operation, Tensor
from monitored._run.replay import Needs, NonFiniteReport, needs_of, replay
from monitored._train.hooks.nan_tensor import NanLossDuringTrainingError
from monitored._train.session_run_hook import (
    SessionRunArgs,
    SessionRunContext,
    SessionRunHook,
    SessionRunValues,
)
from monitored._train.update_guard import UpdateGuard, losses_of, train_op_of

__all__ = ["NanGuardHook", "NonFiniteUpdatesError"]

_log = logging.getLogger("monitored")

_MOST_REPORTS: Final = 3  # each compiles the step once more
_ALERT_RUNS: Final = 10_000  # for how many runs it looks closer before it thinks that all is well


class NonFiniteUpdatesError(NanLossDuringTrainingError):
    """Too many steps in a row had a loss or gradients that were not finite. The model is as it was before them."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else super().__str__()


class NanGuardHook(SessionRunHook):
    """Keeps the model as it is in a step whose loss or gradients are not finite.

    Such a step changes no variable but the global step, which goes on so that the next one sees other data. It costs
    one pass over the gradients, on the device; nothing waits for the answer. Give it in place of a `NanTensorHook`.

        hooks = [tf.train.NanGuardHook(loss)]

    In the log it says how many steps were skipped, and the first operation whose result was not finite, with what went
    into it.

    Args:
        loss: The loss, a tensor or its name; or a list of them.
        train_op: The operation that updates the variables; the one in the graph's collection by default.
        every_n_steps: Runs from one look at the count of skipped steps to the next.
        fail_after: How many steps skipped in a row end the training with `NonFiniteUpdatesError`; None for any number.
        explain: Whether to find the operation, which compiles the step once more.

    Raises:
        ValueError: If `every_n_steps` or `fail_after` is not positive.
    """

    def __init__(
        self,
        loss: Any,
        train_op: Any = None,
        every_n_steps: int = 100,
        fail_after: int | None = 10,
        explain: bool = True,
    ) -> None:
        for name, value in (("every_n_steps", every_n_steps), ("fail_after", fail_after)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}.")
        self._loss = loss
        self._train_op = train_op
        self._every = every_n_steps
        self._fail_after = fail_after
        self._explain = explain
        self._guard: UpdateGuard | None = None
        self._before = 0  # steps skipped in sessions that were lost
        self._seen = 0  # steps skipped in this one, as far as known
        self._reports = 0

    @property
    def skipped_steps(self) -> int:
        """How many steps had been skipped when the hook looked last."""
        return self._before + self._seen

    # -- the session's life -----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Installs the guard in the graph.

        Raises:
            ValueError: If it is not clear what to guard.
        """
        graph = get_default_graph()
        self._guard = UpdateGuard(losses_of(graph, self._loss), train_op_of(graph, self._train_op))
        self._before = self._seen = self._reports = 0

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Counts from zero in this session."""
        session.run(self._installed.counts.initializer)
        self._before, self._seen = self.skipped_steps, 0
        self._left = self._every
        self._alert = 0  # for how many more runs it looks closer
        self._noted: _Noted | None = None
        self._taken: dict[frozenset[Any], SessionRunArgs | None] = {}

    def before_run(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """While it looks closer, notes what the run will change in any case, and asks for what it takes from queues."""
        return self._note(run_context) if self._alert else None

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Looks at the count when it is time.

        Raises:
            NonFiniteUpdatesError: If too many steps in a row were skipped.
        """
        self._left -= 1
        if self._left <= 0 or self._alert:
            self._look(run_context, run_values.results)

    def quiet_runs(self, step: int, increment: int, secs_per_run: float) -> float:
        """The runs before it looks at the count."""
        return 0 if self._alert else max(0, self._left - 1)

    def after_quiet_runs(self, runs: int, stale_step: int) -> None:
        """Counts them."""
        self._left -= runs

    def end(self, session: Any) -> None:
        """Says how many steps were skipped, if any were."""
        self._seen = int(session.run(self._installed.counts)[0])
        if self.skipped_steps:
            _log.warning("%d steps were skipped since their loss or gradients were not finite.", self.skipped_steps)

    def after_close(self, error: BaseException | None) -> None:
        """Takes the guard out of the graph again: sessions without this hook know nothing of it."""
        if self._guard is not None:
            self._guard.remove()
            self._guard = None

    @property
    def _installed(self) -> UpdateGuard:
        assert self._guard is not None
        return self._guard

    # -- looking ------------------------------------------------------------------------------------------------------

    def _look(self, run_context: SessionRunContext, taken: Any) -> None:
        self._left = self._every
        self._alert = max(0, self._alert - 1)
        noted, self._noted = self._noted, None
        total, in_a_row = (int(count) for count in run_context.session.run(self._installed.counts))
        new, self._seen = total - self._seen, total
        if not new:
            return
        text = "skipped: the loss or a gradient was not finite. The model is as it was before."
        fails = self._fail_after is not None and in_a_row >= self._fail_after
        if self._explain and (fails or self._reports < _MOST_REPORTS):
            report = None
            if in_a_row and (noted is not None or self._is_reproducible(run_context)):
                report = self._report(run_context, noted, taken)
            if report is None:  # a step that is skipped from now on can be carried out again
                self._alert, fails = _ALERT_RUNS, fails and noted is not None
            else:
                self._alert = 0
                text += f"\n{report}"
        if fails:
            raise NonFiniteUpdatesError(f"{in_a_row} steps in a row were {text}")
        _log.warning("%s %s", "1 step was" if new == 1 else f"{new} steps were", text)

    def _report(self, run_context: SessionRunContext, noted: _Noted | None, taken: Any) -> NonFiniteReport | str | None:
        """The last step, carried out again; None if that could not be done."""
        self._reports += 1
        feeds = dict(run_context.original_args.feed_dict or {})
        if noted is not None:
            feeds.update(zip(noted.tensors, taken or (), strict=True))
        try:
            report = replay(run_context.session, self._installed.finite, feeds, None if noted is None else noted.state)
        except (errors.OpError, ValueError, TypeError) as error:
            if noted is None:
                return None
            return f"The step could not be carried out again to find the operation: {error}"
        if report is None and noted is not None:
            return "Carried out again, the step was finite throughout."
        return report

    def _is_reproducible(self, run_context: SessionRunContext) -> bool:
        """Whether the step can be carried out again without having noted anything before it."""
        needs = self._needs(run_context)
        if needs is None or needs.tensors:
            return False
        return not any(op.op_def.random or op in self._installed.exempt for op in needs.state)

    def _note(self, run_context: SessionRunContext) -> SessionRunArgs | None:
        """Notes the state before a run; asks for what it takes from queues and other steps on the host."""
        feeds = run_context.original_args.feed_dict or {}
        key = frozenset(feeds)
        if key not in self._taken:
            needs = self._needs(run_context)
            self._taken[key] = SessionRunArgs(needs.tensors) if needs is not None and needs.tensors else None
        args = self._taken[key]
        store = run_context.session._store
        with store.lock:
            kept = [op for op in store.values if op.op_def.random or op in self._installed.exempt]
            state = {op: np.array(store.values[op]) for op in kept}
        self._noted = _Noted(() if args is None else args.fetches, state)
        return args

    def _needs(self, run_context: SessionRunContext) -> Needs | None:
        """What the numbers that the guard looks at need; None if what the caller feeds is not enough for them."""
        try:
            return needs_of(run_context.session, self._installed.finite, run_context.original_args.feed_dict or ())
        except errors.InvalidArgumentError:
            return None  # another run than a training step, or one that another hook feeds


class _Noted:
    """What was noted before a run: which tensors it was asked for besides, and the values of state."""

    def __init__(self, tensors: tuple[Tensor, ...], state: Mapping[Operation, Any]) -> None:
        self.tensors = tensors
        self.state = state
