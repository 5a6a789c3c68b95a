"""The devices of a session, what a `ConfigProto` says of them, and where operations are placed.

A session has the host's processor, under as many names as ``device_count`` asks for, and the accelerator that JAX uses
if there is one. Segments run on the accelerator, host steps on the processor. What asks for any other device is an
error, unless ``allow_soft_placement`` lets it run where there is one.
"""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Iterator
from typing import Any, Final

import jax
from jax._src import xla_bridge

from monitored import errors
from monitored._graph.device_spec import DeviceSpec
from monitored._graph.effects import bodies_of
from monitored._graph.graph import Graph
from monitored._graph.operation import Operation
from monitored._plan.plan import HostStep, Plan

__all__ = ["DeviceAttributes", "Placement"]

_log = logging.getLogger("monitored")

_TASK: Final = "/job:localhost/replica:0/task:0"
_GPU_PLATFORMS: Final = ("gpu", "cuda", "rocm")
_INCARNATIONS = random.Random()


class DeviceAttributes:
    """A device of a session.

    Attributes:
        name: The whole name, such as ``'/job:localhost/replica:0/task:0/device:CPU:0'``.
        device_type: Its kind: ``'CPU'``, ``'GPU'`` or ``'TPU'``.
        memory_limit_bytes: How much memory it has, in bytes.
        incarnation: A number that tells devices of different sessions apart.
    """

    def __init__(self, name: str, device_type: str, memory_limit_bytes: int) -> None:
        self.name = name
        self.device_type = device_type
        self.memory_limit_bytes = memory_limit_bytes
        self.incarnation = _INCARNATIONS.getrandbits(63)

    def __repr__(self) -> str:
        parts = (self.name, self.device_type, self.memory_limit_bytes, self.incarnation)
        return f"_DeviceAttributes({', '.join(map(str, parts))})"


class Placement:
    """Where a session's operations run.

    Args:
        graph: The session's graph.
        config: Its `ConfigProto`, or None.

    Raises:
        NotFoundError: If the configuration leaves no processor.
        FailedPreconditionError: If it wants of an accelerator what can only be set before JAX has begun to use it.
    """

    def __init__(self, graph: Graph, config: Any) -> None:
        self._graph = graph
        self._config = config
        self._processors = 1 if config is None else config.device_count.get("CPU", 1)
        if self._processors < 1:
            raise errors.NotFoundError(None, None, "No CPU devices are available in this process: device_count['CPU']")
        self._soft = config is not None and config.allow_soft_placement
        self._logs = config is not None and config.log_device_placement
        self._only_needed = config is not None and config.graph_options.place_pruned_graph
        self._checked = 0  # how many of the graph's operations have been looked at
        self._accepted = {""}
        self._devices: list[DeviceAttributes] = []
        self._has_warned = False
        if config is not None and config.HasField("gpu_options"):
            _set_up_accelerator(config.gpu_options)
        if self._logs:
            print("Device mapping:", *(f"{d.name} -> {self._described(d)}" for d in self.devices()), sep="\n")

    @property
    def jax_device(self) -> Any:
        """The JAX device to use in place of JAX's own choice, or None."""
        if self._config is None or self._config.device_count.get("GPU", 1) > 0:
            return None
        return jax.local_devices(backend="cpu")[0]

    def devices(self) -> list[DeviceAttributes]:
        """The session's devices, the processor first."""
        if not self._devices:
            memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
            for index in range(self._processors):
                self._devices.append(DeviceAttributes(f"{_TASK}/device:CPU:{index}", "CPU", memory))
            device = self.jax_device or jax.local_devices()[0]
            if device.platform != "cpu":
                kind = "GPU" if device.platform in _GPU_PLATFORMS else device.platform.upper()
                limit = (device.memory_stats() or {}).get("bytes_limit", 0)
                self._devices.append(DeviceAttributes(f"{_TASK}/device:{kind}:0", kind, limit))
        return self._devices

    def _described(self, device: DeviceAttributes) -> str:
        if device.device_type == "CPU":
            return "device: the host's processor"
        return f"device: {(self.jax_device or jax.local_devices()[0]).device_kind}"

    def check(self, plan: Plan) -> None:
        """Looks at the operations that have come to the graph: whether the devices that they ask for are there.

        Args:
            plan: What is to be run.

        Raises:
            InvalidArgumentError: If one is not.
        """
        if self._only_needed:
            for step in plan.steps:
                for op in (step.op,) if isinstance(step, HostStep) else step.ops:
                    self._check(op)
        else:
            operations = self._graph._operations
            for op in operations[self._checked :]:
                self._check(op)
            self._checked = len(operations)
        if self._logs:
            for step in plan.steps:
                host = isinstance(step, HostStep)
                device = self.devices()[0 if host else -1].name
                for op in (step.op,) if isinstance(step, HostStep) else step.ops:
                    print(f"{op.name}: ({op.type}): {device}")

    def _check(self, op: Operation) -> None:
        if op._device not in self._accepted:
            self._accept(op)
        for body in bodies_of(op):
            for inner in body._operations:
                self._check(inner)

    def _accept(self, op: Operation) -> None:
        """Accepts the device that an operation asks for."""
        try:
            wanted = DeviceSpec.from_string(op._device)
        except ValueError as error:
            raise self._problem(op, f"Malformed device specification '{op._device}': {error}") from None
        fitting = list(self._fitting(wanted))
        if not fitting:
            names = ", ".join(device.name for device in self.devices())
            hint = ""
            if not self._soft:
                hint = "\nTo let it run elsewhere: tf.Session(config=tf.ConfigProto(allow_soft_placement=True))"
            raise self._problem(
                op,
                f"Cannot assign a device for operation {op.name}: it was explicitly assigned to {op._device} but "
                f"available devices are [ {names} ]. Make sure the device specification refers to a valid "
                f"device.{hint}",
            )
        self._accepted.add(op._device)
        runs_on = self.devices()[-1]
        if runs_on not in fitting and not self._has_warned and op.op_def.lower is not None:
            self._has_warned = True
            _log.warning("'%s' asks for %s; segments run on %s, and it with them.", op.name, op._device, runs_on.name)

    def _fitting(self, wanted: DeviceSpec) -> Iterator[DeviceAttributes]:
        for device in self.devices():
            has = DeviceSpec.from_string(device.name)
            if any(
                own is not None and own != other
                for own, other in ((wanted.job, has.job), (wanted.replica, has.replica), (wanted.task, has.task))
            ):
                continue
            fits = wanted.device_type in (None, has.device_type) and wanted.device_index in (None, has.device_index)
            if fits or (self._soft and (wanted.device_index or 0) >= 0):
                yield device

    @staticmethod
    def _problem(op: Operation, message: str) -> errors.OpError:
        return errors.InvalidArgumentError(op.node_def, op, message)


def _set_up_accelerator(options: Any) -> None:
    """Hands on to JAX what must be set before it begins to use an accelerator, once in a process."""
    wanted = {}
    if options.per_process_gpu_memory_fraction:
        wanted["XLA_PYTHON_CLIENT_MEM_FRACTION"] = str(options.per_process_gpu_memory_fraction)
    if options.allow_growth:
        wanted["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    if options.visible_device_list:
        wanted["CUDA_VISIBLE_DEVICES"] = options.visible_device_list
    if all(os.environ.get(name) == value for name, value in wanted.items()):
        return
    if not xla_bridge.backends_are_initialized():
        os.environ.update(wanted)
    elif jax.default_backend() in _GPU_PLATFORMS:
        raise errors.FailedPreconditionError(
            None, None, f"gpu_options came too late: JAX uses the accelerator already. Set {wanted} in the environment."
        )
