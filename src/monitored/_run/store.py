"""The state of a session: the values of variables and random streams on the device, and the resources of host ops."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

import jax
import numpy as np

from monitored import errors
from monitored._graph.operation import Operation
from monitored._run.counters import Counter
from monitored._run.new_memory import copied_memory

Array = Any

_MUCH: Final = 16 << 20  # bytes that are worth several threads
_PIECE: Final = 4 << 20  # bytes that one copies at a time
_HELPERS: Final = 3
_helpers: Final = ThreadPoolExecutor(_HELPERS, "copies")  # which wait: to start a thread takes half a millisecond


class Latest(Protocol):
    """What an executable gave in its last run: the new values of the state that it updates."""

    updated: Sequence[Operation]
    given: Sequence[Array]
    counters: list[Counter]


class StateStore:
    """What a session remembers between runs.

    All of it, and what changes it:
        values: variable or random operation -> its value on the device. Changed by device segments (under `lock`),
            by `load`, and by a random stream's first use.
        latest: the executable whose run changed state last, if what it gave has not been put into `values` yet: in
            a loop of equal steps it goes from one to the next, and `values` is brought up to date when looked at.
        resources: resource operation -> its object (a queue, say), made at first use.
        layout: a number that grows when a variable's shape changes, so that what was compiled for the old shape
            is not used again.
    """

    def __init__(self, device: Any = None) -> None:
        """Makes an empty store.

        Args:
            device: The JAX device of the values and of what computes them; JAX's default one when None.
        """
        self.device = device
        self.lock = threading.RLock()
        self.latest: Latest | None = None
        self._values: dict[Operation, Array] = {}
        self._released = False
        self.resources: dict[Operation, Any] = {}
        self.layout = 0

    @property
    def values(self) -> dict[Operation, Array]:
        """The present values, up to date."""
        if self.latest is not None:
            with self.lock:
                latest = self.latest
                if latest is not None:
                    self._values.update(zip(latest.updated, latest.given, strict=True))
                    self.latest, latest.given = None, ()  # last: who comes without the lock finds all or waits
        return self._values

    @values.setter
    def values(self, values: dict[Operation, Array]) -> None:
        self.latest, self._values = None, values

    def release(self) -> None:
        """Gives the memory of all values back, for good: what looks for one from now on ends with CancelledError."""
        with self.lock:
            self._released, self.values = True, {}

    def place(self, values: Sequence[Array]) -> Sequence[Array]:
        """Copies values from the host to the device.

        Args:
            values: The arrays, of variables' dtypes. When this returns they are the caller's own again.

        Returns:
            The arrays on the device; those that were there are not copied.
        """
        if all(isinstance(value, jax.Array) for value in values):
            return values
        with jax.enable_x64(True), jax.default_device(self.device):
            arrays: list[Array] = jax.device_put(list(values))  # `jax.numpy.array` would copy twice
            for i, (value, array) in enumerate(zip(values, arrays, strict=True)):
                array.block_until_ready()
                if array.device.platform == "cpu" and np.may_share_memory(np.asarray(array), value):
                    memory = copied_memory(value.nbytes)
                    apart = np.ndarray(value.shape, value.dtype, memory)
                    apart[...] = value
                    arrays[i] = jax.device_put(apart).block_until_ready()
        return arrays

    def load(self, arrays: Mapping[Operation, Array]) -> None:
        """Gives variables values, all of them in one moment.

        Args:
            arrays: Arrays on the device, of the variables' dtypes.
        """
        with self.lock:
            self.note_shapes(arrays)
            self.values.update(arrays)

    def note_shapes(self, arrays: Mapping[Operation, Array]) -> None:
        """Marks what was compiled as out of date if a value comes with another shape than the one before."""
        for op, array in arrays.items():
            old = self.values.get(op)
            if old is not None and old.shape != array.shape:
                self.layout += 1

    def read(self, ops: Iterable[Operation]) -> dict[Operation, np.ndarray[Any, Any]]:
        """The present values of variables, all of one moment, as copies on the host.

        Raises:
            FailedPreconditionError: If one has none.
        """
        with self.lock:
            try:
                return {op: np.array(self.values[op]) for op in ops}
            except KeyError as missing:
                raise self._missing(missing.args[0]) from None

    def copies(self, ops: Iterable[Operation], kept: dict[Operation, np.ndarray[Any, Any]]) -> dict[Operation, Array]:
        """The present values of variables, all of one moment, as copies that can be looked at while steps go on.

        From a device with memory of its own, copies there: moving them to the host takes longer. Else copies in `kept`.

        Args:
            ops: The variables.
            kept: Arrays of an earlier call, which are used again: memory that is new to a process costs several times
                as much to write to. Those that are missing are added.

        Returns:
            Variable -> copy.

        Raises:
            FailedPreconditionError: If one has none.
        """
        found: dict[Operation, Array] = {}
        copied: list[tuple[np.ndarray[Any, Any], Array]] = []  # (into, from)
        with self.lock:
            for op in ops:
                value = self.values.get(op)
                if value is None:
                    raise self._missing(op)
                if isinstance(value, jax.Array) and any(device.platform != "cpu" for device in value.devices()):
                    found[op] = value.copy()
                    continue
                copy = kept.get(op)
                if copy is None or copy.shape != value.shape or copy.dtype != value.dtype:
                    copy = kept[op] = np.array(value)
                else:
                    copied.append((copy, value))
                found[op] = copy
            _copy(copied)
        return found

    def read_one(self, op: Operation) -> np.ndarray[Any, Any]:
        """The present value of a variable.

        Raises:
            FailedPreconditionError: If it has none.
        """
        return self.read([op])[op]

    def ensure_streams(self, ops: Iterable[Operation]) -> None:
        """Gives random operations that have no stream yet their first key and counter."""
        with self.lock:
            for op in ops:
                if op.op_def.random and op not in self.values:
                    with jax.enable_x64(True), jax.default_device(self.device):
                        self.values[op] = jax.numpy.array(_first_stream(op))

    def state_of(self, ops: Sequence[Operation]) -> list[Array]:
        """The present values of variables and random streams, which thereby begin.

        Raises:
            FailedPreconditionError: If a variable has none.
        """
        self.ensure_streams(ops)
        for op in ops:
            if op not in self.values:
                raise self._missing(op)
        return [self.values[op] for op in ops]

    def _missing(self, op: Operation) -> errors.OpError:
        """The error for a variable that has no value."""
        if self._released:
            return errors.CancelledError(op.node_def, op, "Session has been closed.")
        return uninitialized(op)

    def resource(self, op: Operation, factory: Callable[[], Any]) -> Any:
        """The object of a resource operation, made by `factory` at first use."""
        with self.lock:
            if op not in self.resources:
                self.resources[op] = factory()
            return self.resources[op]


def _copy(pairs: Sequence[tuple[np.ndarray[Any, Any], Array]]) -> None:
    """Copies arrays into others: 100 MB take 10 ms in one thread, 7 ms in two."""
    if sum(into.nbytes for into, _ in pairs) < _MUCH:
        for into, value in pairs:
            np.copyto(into, value)
        return
    pieces = []
    for into, value in pairs:
        target, source = into.reshape(-1), np.asarray(value).reshape(-1)
        step = max(1, _PIECE // into.itemsize)
        pieces += [(target[i : i + step], source[i : i + step]) for i in range(0, target.size, step)]
    left = iter(pieces)  # each thread takes the next one

    def work() -> None:
        for target, source in left:
            np.copyto(target, source)

    helpers = [_helpers.submit(work) for _ in range(min(_HELPERS, (os.cpu_count() or 1) - 1))]
    work()
    for helper in helpers:
        if not helper.cancel():  # one that has not begun is not needed; else it is at its last piece
            helper.result()


def uninitialized(op: Operation) -> errors.OpError:
    """The error for a variable without a value."""
    return errors.FailedPreconditionError(op.node_def, op, f"Attempting to use uninitialized value {op.name}")


def _first_stream(op: Operation) -> np.ndarray[Any, Any]:
    """Two words of key and a counter; from the operation's seeds, or from the system where it has none."""
    seed, seed2 = int(op._attrs.get("seed", 0)), int(op._attrs.get("seed2", 0))
    if seed == 0 and seed2 == 0:
        key: Any = np.frombuffer(os.urandom(8), np.uint32)
    else:
        key = np.random.SeedSequence([seed % 2**64, seed2 % 2**64]).generate_state(2)
    return np.append(key, np.uint32(0)).astype(np.uint32)
