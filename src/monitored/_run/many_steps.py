"""Many steps in one call: `run_steps` of a session.

A step that needs the host for nothing but its feeds becomes the body of a loop on the device. Between two calls of
`run` lie some twenty microseconds of the host's, between two turns of the loop less than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice, repeat
from typing import Any, Final

import jax
import numpy as np

from monitored._plan.lower import NeedHost, NeedStatic
from monitored._plan.plan import Segment
from monitored._run.segment_runner import CompiledSegments

_STAGED_BYTES: Final = 64 << 20  # of feeds that are put on the device at a time
_STAGED_STEPS: Final = 256
_FEW: Final = 16  # steps, for which a small array is enough


class StepLoop:
    """A segment as the body of a loop, with its executables.

    Args:
        segment: The segment.
        shared: The session's executables.
    """

    def __init__(self, segment: Segment, shared: CompiledSegments) -> None:
        self.segment = segment
        self._shared = shared
        self._executables: dict[Any, Any] = {}

    def run(self, count: int, inputs: Sequence[Any], own: bool) -> list[Any] | None:
        """Takes steps.

        Args:
            count: How many, one at least.
            inputs: The values of the segment's inputs.
            own: Whether each holds a row for each step.

        Returns:
            The last step's outputs, on the device; None, with nothing changed, if the segment cannot be a loop: its
            values' types or shapes differ from step to step.

        Raises:
            FailedPreconditionError: If a variable has no value.
        """
        segment, store = self.segment, self._shared.store
        key = (store.layout, own, *[value.shape for value in inputs])
        with store.lock:
            state = store.state_of((*segment.updates, *segment.reads))
            if key not in self._executables:
                try:
                    self._executables[key] = self._shared.compile_loop(segment, inputs, own)
                except (NeedStatic, NeedHost, TypeError):
                    self._executables[key] = None
            executable = self._executables[key]
            if executable is None:
                return None
            with jax.enable_x64(True):
                outputs, written = executable(*state, np.int32(count), *inputs)
            store.values.update(zip((*segment.updates, *segment.creates), written, strict=True))
        result: list[Any] = outputs
        return result


def feed_of_each_step(num_steps: int, feed_dict: Any, feeds: Iterable[Any] | None) -> Iterator[Any]:
    """Checks what `run_steps` was given, and says what each step feeds.

    Args:
        num_steps: How many steps are to be taken.
        feed_dict: What all of them feed.
        feeds: Instead, a feed dictionary for each.

    Returns:
        The feed dictionaries, of which there may be more, or fewer, than steps.

    Raises:
        ValueError: If `num_steps` is not positive, or both feeds are given.
    """
    if num_steps < 1:
        raise ValueError(f"num_steps must be at least 1, not {num_steps}.")
    if feeds is not None and feed_dict:
        raise ValueError("Give run_steps either a feed_dict for all steps or feeds with one for each, not both.")
    return repeat(feed_dict or {}) if feeds is None else iter(feeds)


def staged(steps: Iterable[list[Any]]) -> Iterator[tuple[list[list[Any]], list[Any]]]:
    """Puts the feeds of several steps together.

    Args:
        steps: The values that each step feeds.

    Yields:
        For some steps in a row whose values have the same shapes: those values, and the same as arrays with a row for
        each step. There may be more rows than steps, so that two numbers of rows only have to be compiled for.
    """
    for _, alike in groupby(steps, lambda values: [value.shape for value in values]):
        rest = iter(alike)
        for first in rest:
            size = sum(value.nbytes for value in first)
            room = max(1, min(_STAGED_STEPS, _STAGED_BYTES // max(size, 1)))
            some = [first, *islice(rest, room - 1)]
            rows = room if len(some) > _FEW else min(room, _FEW)
            arrays = []
            for values in zip(*some, strict=True):
                array = np.zeros((rows, *values[0].shape), values[0].dtype)
                np.stack(values, out=array[: len(some)])
                arrays.append(array)
            yield some, arrays
