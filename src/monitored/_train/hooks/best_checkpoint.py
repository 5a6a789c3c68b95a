"""`BestCheckpointHook`: keeps the checkpoints with the best value of a metric, beside the newest ones.

They stand in a folder of their own, with what tells them apart:

    runs/digits/checkpoint                     the newest ones, which a `CheckpointSaverHook` keeps
    runs/digits/model.ckpt-1800.index ...
    runs/digits/best/checkpoint                names the best; the others from the worst to the best
    runs/digits/best/best.json                 their values, the best first
    runs/digits/best/model.ckpt-1200.index ...

A save is in this order, so that whenever it is cut off, the best one named is there: the checkpoint, `best.json`, the
`checkpoint` file, and then the removal of what fell out.
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np

from monitored import errors
from monitored._checkpoint import checkpoint_exists, get_checkpoint_state, remove_checkpoint, write_checkpoint_state
from monitored._checkpoint.files import os_errors_as_tf, replace_file
from monitored._graph.graph import get_default_graph
from monitored._train.hooks.global_steps import required_global_step
from monitored._train.hooks.savers import saver_for
from monitored._train.hooks.step_watch import StepWatch
from monitored._train.session_run_hook import SessionRunContext, SessionRunHook, SessionRunValues

__all__ = ["BestCheckpointHook"]

_log = logging.getLogger("monitored")

_FOLDER: Final = "best"
_FILE: Final = "best.json"


class _Kept(NamedTuple):
    """One of the best: its file name without ending, its step and the metric's value."""

    name: str
    step: int
    value: float


class BestCheckpointHook(SessionRunHook):
    """Keeps the checkpoints with the best value of a metric, in the folder ``best`` of a directory.

    It evaluates the metric at the end of the session, which is what a session of evaluation wants, and in a session of
    training every so many steps or seconds, too. When the value is among the best, it saves. A later process goes on
    with what the folder holds; the best is ``tf.train.latest_checkpoint("runs/digits/best")``.

        tf.train.BestCheckpointHook(
            "runs/digits", accuracy, higher_is_better=True, every_n_steps=200,
            feed_dict={images: test_images, labels: test_labels},
        )

    Args:
        checkpoint_dir: The directory.
        metric: A scalar tensor or its name; or ``metric(session)``, which gives a number.
        higher_is_better: Whether higher values are better, as of an accuracy, rather than lower ones, as of a loss.
        keep: How many to keep.
        every_n_steps: Steps from one evaluation to the next.
        every_n_secs: Seconds from one evaluation to the next, instead.
        feed_dict: What to feed when the tensor is evaluated.
        saver: The `Saver` that writes them.
        scaffold: A `Scaffold` whose saver writes them, instead. By default the saver in the graph's collection.
        checkpoint_basename: The name of a checkpoint, to which ``-<step>`` is added.
        clock: Gives the time in seconds.

    Raises:
        ValueError: If both `every_n_steps` and `every_n_secs` are given, both `saver` and `scaffold`, or `keep` is not
            positive.
    """

    def __init__(
        self,
        checkpoint_dir: str | os.PathLike[str],
        metric: Any,
        *,
        higher_is_better: bool,
        keep: int = 1,
        every_n_steps: int | None = None,
        every_n_secs: float | None = None,
        feed_dict: Any = None,
        saver: Any = None,
        scaffold: Any = None,
        checkpoint_basename: str = "model.ckpt",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if saver is not None and scaffold is not None:
            raise ValueError("You cannot provide both saver and scaffold.")
        if keep < 1:
            raise ValueError(f"keep must be at least 1, not {keep}.")
        self._folder = os.path.join(os.fspath(checkpoint_dir), _FOLDER)
        self._metric = metric
        self._sign = -1 if higher_is_better else 1
        self._keep = keep
        self._watch = StepWatch(every_n_steps, every_n_secs, clock)
        self._feed_dict = feed_dict
        self._saver = saver
        self._scaffold = scaffold
        self._basename = checkpoint_basename
        self._kept: list[_Kept] = []  # the best first; read in `begin`, changed by `_save`
        self._evaluated_at: int | None = None
        self._resumed: dict[str, Any] | None = None  # the state of an earlier process

    @property
    def best_checkpoint(self) -> str | None:
        """The path of the best checkpoint without `.index`; None before there is one."""
        return os.path.join(self._folder, self._kept[0].name) if self._kept else None

    @property
    def best_value(self) -> float | None:
        """The best value; None before there is one."""
        return self._kept[0].value if self._kept else None

    # -- the session's life -----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Finds the metric and the global step, and reads what the folder holds.

        Raises:
            ValueError: If the folder was kept by a metric of the other direction.
            DataLossError: If its `best.json` is damaged.
        """
        self._global_step = required_global_step("BestCheckpointHook")
        graph = get_default_graph()
        if callable(self._metric):
            self._evaluate = self._metric
            self._name = getattr(self._metric, "__name__", "metric")
        else:
            tensor = graph.as_graph_element(self._metric, allow_operation=False)
            self._evaluate = lambda session: session.run(tensor, self._feed_dict)
            self._name = tensor.op.name
        self._read()

    def after_create_session(self, session: Any, coord: Any) -> None:
        """Counts from the step where the session begins, or goes on counting where the process before was."""
        step = int(session.run(self._global_step))
        if self._resumed is None:
            self._watch.start(step)
            self._evaluated_at = None
        else:
            self._watch.resume(self._resumed["watched_at"], step)
            self._evaluated_at, self._resumed = self._resumed["evaluated_at"], None

    def state_dict(self) -> dict[str, Any]:
        """When it evaluated last. The values are in the folder."""
        return {"watched_at": self._watch.last_step, "evaluated_at": self._evaluated_at}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Evaluates next when the process before would have."""
        self._resumed = state

    def after_run(self, run_context: SessionRunContext, run_values: SessionRunValues) -> None:
        """Evaluates when it is due."""
        if self._watch.should_look():
            step = int(run_context.session.run(self._global_step))
            if self._watch.is_due(step):
                run_context.after_hooks(partial(self._consider, run_context.session, step))

    def quiet_runs(self, step: int, increment: int, secs_per_run: float) -> float:
        """The runs before it is due."""
        return self._watch.quiet_runs(secs_per_run)

    def after_quiet_runs(self, runs: int, stale_step: int) -> None:
        """Counts them."""
        self._watch.skip(runs)

    def end(self, session: Any) -> None:
        """Evaluates the last step, unless that has been done."""
        step = int(session.run(self._global_step))
        if step != self._evaluated_at:
            self._consider(session, step)

    # -- the best -----------------------------------------------------------------------------------------------------

    def _consider(self, session: Any, step: int) -> None:
        """Evaluates the metric, and saves if its value is among the best."""
        self._evaluated_at = step
        found = np.asarray(self._evaluate(session))
        if found.size != 1:
            raise ValueError(f"The metric '{self._name}' must be one number, but has the shape {list(found.shape)}.")
        value = float(found.item())
        if math.isnan(value):
            _log.warning("The metric '%s' is NaN at step %d, which is never among the best.", self._name, step)
            return
        one = _Kept(f"{self._basename}-{step}", step, value)
        others = [kept for kept in self._kept if kept.step != step]
        ranked = sorted([*others, one], key=self._rank)
        if one not in ranked[: self._keep]:
            best = ranked[0]
            _log.info("%s = %g at step %d; the best: %g at %d.", self._name, value, step, best.value, best.step)
            return
        self._save(session, one, ranked)

    def _rank(self, kept: _Kept) -> tuple[float, int]:
        return self._sign * kept.value, kept.step  # of equal ones the first

    def _save(self, session: Any, one: _Kept, ranked: list[_Kept]) -> None:
        place = ranked.index(one) + 1
        _log.info(
            "%s = %g at step %d, %s: saving into %s.",
            self._name, one.value, one.step, "the best" if place == 1 else f"number {place}", self._folder,
        )  # fmt: skip
        with os_errors_as_tf(self._folder):
            os.makedirs(self._folder, exist_ok=True)
        saver = saver_for("BestCheckpointHook", self._saver, self._scaffold)
        saver.save(session, os.path.join(self._folder, self._basename), global_step=one.step, write_state=False)
        self._kept = ranked[: self._keep]
        self._write()
        for kept in ranked[self._keep :]:
            remove_checkpoint(os.path.join(self._folder, kept.name))

    def _write(self) -> None:
        content = {
            "metric": self._name,
            "higher_is_better": self._sign < 0,
            "checkpoints": [kept._asdict() for kept in self._kept],
        }
        replace_file(os.path.join(self._folder, _FILE), json.dumps(content, indent=2).encode() + b"\n")
        paths = [os.path.join(self._folder, kept.name) for kept in reversed(self._kept)]
        write_checkpoint_state(self._folder, paths[-1], paths, save_relative_paths=True)

    def _read(self) -> None:
        """Reads what the folder holds. What `best.json` names and is gone is forgotten."""
        self._kept = []
        file = os.path.join(self._folder, _FILE)
        try:
            with os_errors_as_tf(file), open(file, "rb") as stream:
                content = json.loads(stream.read())
            higher = content["higher_is_better"]
            found = [_Kept(str(c["name"]), int(c["step"]), float(c["value"])) for c in content["checkpoints"]]
        except errors.NotFoundError:
            return
        except (ValueError, TypeError, KeyError) as error:
            raise errors.DataLossError(
                None, None, f"{file}, which tells which checkpoints are the best, is damaged ({error!r}). To begin "
                f"anew, remove the folder {self._folder}.",
            ) from error  # fmt: skip
        if higher != (self._sign < 0):
            raise ValueError(
                f"{self._folder} holds the checkpoints with the {'highest' if higher else 'lowest'} "
                f"'{content.get('metric')}', but now the {'lowest' if higher else 'highest'} '{self._name}' is wanted. "
                "Use another checkpoint_dir, or remove the folder."
            )
        self._kept = sorted((k for k in found if checkpoint_exists(os.path.join(self._folder, k.name))), key=self._rank)
        state = get_checkpoint_state(self._folder)
        if self._kept and (state is None or state.model_checkpoint_path != self.best_checkpoint):
            self._write()  # the process before was cut off in between
