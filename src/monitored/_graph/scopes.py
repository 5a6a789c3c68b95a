"""The scopes that a thread has entered in a graph: names, devices, control dependencies, gradient overrides."""

from __future__ import annotations

import re
import threading

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
        self.controls: list[Controls] = []
        self.gradient_types: dict[str, str] = {}


def canonical_device(name: str) -> str:
    """The name of a device in TensorFlow's long form: ``/device:CPU:0`` for ``/cpu:0``."""
    return re.sub(r"/(cpu|gpu|tpu):", lambda m: f"/device:{m[1].upper()}:", name, flags=re.IGNORECASE).replace(
        "/device:device:", "/device:"
    )
