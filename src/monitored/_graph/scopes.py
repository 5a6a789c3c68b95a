"""The scopes that a thread has entered in a graph: names, devices, control dependencies, gradient overrides."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from monitored._graph.device_spec import merge_names
from monitored._graph.operation import Operation


class Controls:
    """One `control_dependencies` block: what it waits for, and the operations made within it."""

    __slots__ = ("ops", "seen")

    def __init__(self, ops: tuple[Operation, ...]) -> None:
        self.ops = ops
        self.seen: set[Operation] = set()


class Scopes(threading.local):
    """The scopes that a thread has entered in a graph."""

    def __init__(self) -> None:
        self.name = ""
        self.device = ""
        # Within a block whose device is a function: all the blocks' names and functions, the outermost first.
        self.device_functions: tuple[str | Callable[[Operation], Any], ...] = ()
        self.container = b""
        self.variable_creators: tuple[Callable[..., Any], ...] = ()  # the outermost first
        self.controls: list[Controls] = []
        self.gradient_types: dict[str, str] = {}

    def device_of(self, op: Operation) -> str:
        """The device of a new operation within blocks whose devices are functions of it."""
        found = ""
        for entry in reversed(self.device_functions):
            if isinstance(entry, str):
                found = merge_names(entry, found)
            else:
                op._device = found
                found = merge_names("", device_text(entry(op)))
        return found


def device_text(device: Any) -> str:
    """A device as text: a name, or a `DeviceSpec`.

    Raises:
        TypeError: If it is neither.
    """
    if hasattr(device, "to_string"):
        return str(device.to_string())
    if isinstance(device, bytes):
        return device.decode()
    if not isinstance(device, str):
        raise TypeError(f"A device must be a name such as '/cpu:0', a tf.DeviceSpec or a function, not {device!r}")
    return device
