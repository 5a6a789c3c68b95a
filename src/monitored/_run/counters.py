"""Counters: integer variables that a segment only adds a constant to, such as the global step, followed on the host.

Hooks look at the global step in every step. Fetching it from the device would make each step wait for the one before,
so that the host's work no longer overlaps the device's (and costs 3 µs where it would not). What is known instead: the
array that held the count after the last run, and the count. As long as the variable still holds that very array, the
next count needs no look at the device.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from monitored._graph.effects import effects_of, variable_read_by
from monitored._graph.operation import Operation, Tensor
from monitored._plan.plan import Segment

_SIGNS: Final = {"AssignAdd": 1, "AssignSub": -1}


class Counter:
    """A variable whose value before the run is among a segment's outputs.

    Attributes:
        variable: The variable.
        place: The output's place.
        position: The variable's place in the state that the segment takes, and in the state that it gives.
        added: What a run adds.
        count: The variable's value after the last run, as long as nothing else has changed it.
    """

    __slots__ = (
        "_array", "_highest", "_lowest", "_range", "_type", "added", "count", "place", "position", "variable",
    )  # fmt: skip

    def __init__(self, variable: Operation, place: int, position: int, added: int) -> None:
        self.variable = variable
        self.place = place
        self.position = position
        self.added = added
        self._type: Any = np.dtype(variable._outputs[0].dtype.as_numpy_dtype).type
        limits = np.iinfo(self._type)
        self._lowest, self._highest, self._range = int(limits.min), int(limits.max), 1 << limits.bits
        self._array: Any = None  # what held the count after the last run
        self.count = 0

    def look(self, array: Any) -> None:
        """Finds the count before a run that follows one of something else.

        Args:
            array: What holds it.
        """
        if array is not self._array:
            self.count = int(array)

    def passed(self, array: Any) -> Any:
        """Notes a run. Integers wrap around, as on the device.

        Args:
            array: What holds the count after it.

        Returns:
            The count before it, a NumPy scalar.
        """
        self._array = array
        before = self.count
        count = self.count = before + self.added
        if not self._lowest <= count <= self._highest:
            self.count = (count - self._lowest) % self._range + self._lowest
        return self._type(before)


def counters_of(segment: Segment) -> list[Counter]:
    """The counters among a segment's outputs, in the order of their places."""
    found: list[Counter] = []
    for place, tensor in enumerate(segment.outputs):
        variable = variable_read_by(tensor, segment.inputs)
        if variable is not None and variable in segment.updates and tensor.dtype.is_integer:
            added = added_to(variable, segment)
            if added is not None:
                found.append(Counter(variable, place, segment.updates.index(variable), added))
    return found


def without_counters(segment: Segment, counters: list[Counter]) -> Segment:
    """The segment to compile: one that does not give what the host knows."""
    places = {counter.place for counter in counters}
    return replace(segment, outputs=tuple(t for i, t in enumerate(segment.outputs) if i not in places))


def added_to(variable: Operation, segment: Segment) -> int | None:
    """What a segment adds to a scalar variable, if a constant is all that it does to it.

    Args:
        variable: The variable.
        segment: The segment.

    Returns:
        The constant; None if it does something else.
    """
    writers = [op for op in segment.ops if variable in effects_of(op, frozenset(segment.inputs)).writes]
    if len(writers) != 1 or writers[0].type not in _SIGNS:
        return None
    amount: Tensor = writers[0].inputs[1]
    if amount.op.type != "Const" or amount in segment.inputs or np.shape(amount.op._attrs["value"]) != ():
        return None
    if variable._outputs[0].shape.sizes != ():
        return None
    return _SIGNS[writers[0].type] * int(amount.op._attrs["value"])
