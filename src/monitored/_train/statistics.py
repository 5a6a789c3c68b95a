"""Where the time of a monitored session goes: `statistics()`.

What happens seldom is measured whenever it does: compilations, saves, restores, the hooks' `begin` and `end`. A step is
measured now and then, two in a row: the first of some, then one in 144 on average and ever fewer down to one in 768, at
random so that nothing that comes every hundred steps is always met or always missed. What two steps took stands for all
steps since the two before. Of the two, one shows what the run takes as it is, the other, traced, what the device and
the host steps take. Two such steps take about 0.6 ms longer, a step in the mean less than 1 µs, and what is told are
estimates, good ones after some thousand steps.
"""

from __future__ import annotations

import copy
import logging
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from monitored._run.activity import observe, stop_observing
from monitored._train.hook_calls import HookCalls, Merged
from monitored._train.session_run_hook import SessionRunArgs, SessionRunHook, SessionRunValues

__all__ = ["SessionStatistics", "StatisticsHook"]

_log: Final = logging.getLogger("monitored")
_LONGEST_GAP: Final = 2048  # steps between two pairs that are measured, in a long run; half as many at least
_LONG_GAP: Final = 384  # in a shorter one,
_SHARE: Final = 4  # as long as the run is not this many times longer


@dataclass(frozen=True)
class SessionStatistics:
    """Where the time of a monitored session has gone. Times are in seconds.

    Attributes:
        steps: How many steps were taken.
        seconds: From the session's beginning until now, or until it was closed.
        compile: What compiling took, tracing included.
        compilations: How many there were.
        runs: What runs took apart from hooks: dispatching, host steps, and waiting for what is fetched.
        device: What the device took, which goes on beside the host where nothing is fetched.
        loops: What stretches of `run_steps` took.
        host_steps: What host steps of runs took (queues, `py_func`, summaries), by operation.
        hooks: What hooks took, by class.
        between_runs: What passed between two runs: the program's own code, such as waiting for input.
        saves: For how long saves held the steps up or were waited for.
        saves_behind: What threads took to write checkpoints behind the steps.
        restore: What restoring took.
        measured_steps: How many steps the estimates stand on: `runs`, `device`, `host_steps` and `between_runs` are
            estimates, and `hooks` as far as steps are concerned.
    """

    steps: int
    seconds: float
    compile: float
    compilations: int
    runs: float
    device: float
    loops: float
    host_steps: dict[str, float]
    hooks: dict[str, float]
    between_runs: float
    saves: float
    saves_behind: float
    restore: float
    measured_steps: int

    def __str__(self) -> str:
        parts = [
            ("compile", self.compile, f"{self.compilations} times"),
            ("runs", self.runs, ""),
            ("device", self.device, "partly beside the runs"),
            ("loops of run_steps", self.loops, ""),
            *((f"host step {name}", secs, "") for name, secs in _largest(self.host_steps)),
            *((f"hook {name}", secs, "") for name, secs in _largest(self.hooks)),
            ("between runs", self.between_runs, "input and the program itself"),
            ("saves", self.saves, "that steps waited for"),
            ("saves behind", self.saves_behind, "beside the steps"),
            ("restore", self.restore, ""),
        ]
        lines = [f"{self.steps} steps in {self.seconds:.3g} s, estimated from {self.measured_steps} of them"]
        for name, secs, note in parts:
            if secs > 0:
                each = f"{1e6 * secs / self.steps:10.4g} µs a step" if self.steps else ""
                share = f"{100 * secs / max(self.seconds, 1e-9):5.1f} %"
                lines.append(f"  {name:34} {secs:9.4g} s  {share} {each}  {note}".rstrip())
        return "\n".join(lines)


class StatisticsHook(SessionRunHook):
    """Writes a session's statistics to the log when it ends, however it ends."""

    def __init__(self) -> None:
        self._statistics: Callable[[], SessionStatistics] | None = None

    def ask(self, statistics: Callable[[], SessionStatistics]) -> None:
        """Called by the monitored session: whom to ask at the end."""
        self._statistics = statistics

    def after_close(self, error: BaseException | None) -> None:
        """Writes the report."""
        if self._statistics is not None:
            _log.info("%s", self._statistics())


class Recorder:
    """What a monitored session notes for its statistics.

    Args:
        clock: Gives the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._began = clock()
        self._ended: float | None = None
        self._thread = threading.get_ident()
        self._spent: defaultdict[str, float] = defaultdict(float)  # exact
        self._estimated: defaultdict[str, float] = defaultdict(float)
        self._host_steps: defaultdict[str, float] = defaultdict(float)
        self._hooks: defaultdict[str, float] = defaultdict(float)
        self._open: dict[int, list[tuple[str, float]]] = defaultdict(list)  # thread -> activities within one another
        self._compilations = 0
        self._loop_steps = 0
        self._steps = 0  # up to the last one that was measured
        self._measured = 0
        self._gap = 3  # how many steps lie between the last pair and the next
        self._is_first = False  # whether the last one was the first of two
        self._last_end: float | None = None  # of the last one, if it ended well
        self._quiet = 0  # how many of the steps since the last pair were made without the hooks
        self._options: Any = None
        observe(self)

    def close(self) -> None:
        """Notes no more."""
        stop_observing(self)
        self._ended = self._clock()

    # -- what happens seldom ------------------------------------------------------------------------------------------

    def began(self, what: str) -> None:
        """An activity begins."""
        self._open[threading.get_ident()].append((what, self._clock()))

    def ended(self, what: str) -> None:
        """An activity ends."""
        doing = self._open[threading.get_ident()]
        if not doing or doing[-1][0] != what:
            return
        secs = self._clock() - doing.pop()[1]
        name, dot, method = what.partition(".")
        if dot:
            if method not in ("before_run", "after_run"):  # those are estimated
                self._hooks[name] += secs
        elif what == "save" and threading.get_ident() != self._thread:
            self._spent["saves_behind"] += secs
        else:
            self._spent[what] += secs
            self._compilations += what == "compile"
        if doing:  # what is within another activity is not counted twice
            outer, since = doing[-1]
            doing[-1] = (outer, since + secs)

    def took_loop(self, steps: int, secs: float) -> None:
        """Notes a stretch of `run_steps`."""
        self._loop_steps += steps
        self._spent["loops"] += secs

    def took_quiet_runs(self, runs: int) -> None:
        """Notes steps in which no hook was called, which are not told otherwise."""
        self._quiet += runs

    # -- steps --------------------------------------------------------------------------------------------------------

    def first_gap(self) -> int:
        """After how many steps the first is to be measured."""
        return self._gap + 1

    def measuring(self, calls: HookCalls) -> tuple[Any, int]:
        """Measures the step that begins now.

        Args:
            calls: The hooks.

        Returns:
            What to use in the place of the hooks, and after how many steps the next is to be measured.
        """
        now, last_end, weight = self._clock(), self._last_end, self._gap + 2
        self._last_end = None
        first = self._is_first = not self._is_first
        if first:
            self._steps += self._gap + 1
            following = 1
        else:
            if last_end is not None:
                self._estimated["between_runs"] += weight * (now - last_end)
            self._steps += 1
            longest = min(max(_LONG_GAP, self._steps // _SHARE), _LONGEST_GAP)
            self._gap = min(2 * self._gap + 1, random.randint(longest // 2, longest))
            following = self._gap + 1
        self._measured += 1
        measured = _MeasuredCalls(self, calls, first, weight, (weight - self._quiet) / 2)
        if not first:
            self._quiet = 0
        return measured, following

    def options(self) -> Any:
        """The `RunOptions` of a run that is measured."""
        if self._options is None:
            from tensorboard.compat.proto import config_pb2

            self._options = config_pb2.RunOptions(trace_level=config_pb2.RunOptions.FULL_TRACE)
        return self._options

    def busy(self) -> float:
        """The time, without what has been spent on activities that are noted for themselves."""
        return self._clock() - sum(self._spent.values())

    def hook_took(self, hook: Any, secs: float) -> None:
        """Notes what a hook took in steps."""
        self._hooks[type(hook).__name__] += secs

    def runs_took(self, secs: float) -> None:
        """Notes what runs took."""
        self._estimated["runs"] += max(0.0, secs)

    def traced(self, weight: float, step_stats: Any) -> None:
        """Notes what the parts of a run took, from its trace."""
        for device in step_stats.dev_stats:
            for node in device.node_stats:
                secs = 1e-6 * node.all_end_rel_micros
                if " = Segment[" in node.timeline_label:
                    self._estimated["device"] += weight * secs
                elif "compiler" not in device.device:
                    self._host_steps[node.node_name] += weight * secs

    def step_ended(self) -> None:
        """Notes the end of a step that was measured."""
        self._last_end = self._clock()

    def statistics(self, until_next: int) -> SessionStatistics:
        """What there is to tell.

        Args:
            until_next: How many steps will still be taken before the next one that is measured.
        """
        since = 0 if self._is_first else self._gap + 1 - until_next
        spent, estimated = self._spent, self._estimated
        return SessionStatistics(
            steps=self._steps + since + self._loop_steps,
            seconds=(self._clock() if self._ended is None else self._ended) - self._began,
            compile=spent["compile"],
            compilations=self._compilations,
            runs=estimated["runs"],
            device=estimated["device"],
            loops=spent["loops"],
            host_steps=dict(self._host_steps),
            hooks=dict(self._hooks),
            between_runs=estimated["between_runs"],
            saves=spent["save"],
            saves_behind=spent["saves_behind"],
            restore=spent["restore"],
            measured_steps=self._measured,
        )


class _MeasuredCalls:
    """The hooks of a session in a step that is measured: the same calls, with a look at the clock after each."""

    def __init__(
        self, recorder: Recorder, calls: HookCalls, first: bool, weight: float, weight_of_hooks: float
    ) -> None:
        self._recorder = recorder
        self._calls = calls
        self._first = first
        self._weight = weight
        self._weight_of_hooks = weight_of_hooks
        self.before_run = [self._timed(method) for method in calls.before_run]

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        hook, recorder = getattr(method, "__self__", method), self._recorder

        def call(*args: Any) -> Any:
            began = recorder.busy()
            try:
                return method(*args)
            finally:
                recorder.hook_took(hook, self._weight_of_hooks * (recorder.busy() - began))

        return call

    def merged(self, requests: Sequence[SessionRunArgs | None]) -> Merged:
        """What the hooks ask for; in the second of two steps a trace, too, of which they are not told."""
        merged: Any = copy.copy(self._calls.merged(list(requests)))
        recorder, asked, inner = self._recorder, bool(merged.options), merged.values
        if not self._first:
            merged.options = [*merged.options, recorder.options()]
        began = recorder.busy()

        def values(results: list[Any], options: Any, run_metadata: Any) -> list[SessionRunValues]:
            if self._first:
                recorder.runs_took(self._weight * (recorder.busy() - began))
            else:
                recorder.traced(self._weight, run_metadata.step_stats)
            found: list[SessionRunValues] = inner(results, *((options, run_metadata) if asked else (None, None)))
            return found

        timed = [(self._timed(method), place) for method, place in merged.after_run]
        measured = _MeasuredMerged(merged, values)
        measured.after_run = [*timed, (lambda *_: recorder.step_ended(), 0)]
        return measured


class _MeasuredMerged(Merged):
    """What hooks ask for in a step that is measured."""

    __slots__ = ("values",)

    def __init__(self, merged: Merged, values: Callable[..., Any]) -> None:
        for name in Merged.__slots__:
            setattr(self, name, getattr(merged, name))
        self.values = values  # type: ignore[method-assign]


def _largest(times: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(times.items(), key=lambda item: -item[1])
