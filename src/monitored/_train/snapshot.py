"""What a checkpoint holds of a session: the values of variables, the random streams, and the states of companions.

A checkpoint's tensors are named by their variables (as TensorFlow does), and a random operation's stream, its key and
counter, by ``_monitored/stream/<operation>``, which TensorFlow passes over. Taking a snapshot reads everything at one
moment; loading one checks and reads everything before it changes anything. What takes most of the time of that is
memory that is new to the process: large values are read straight into the device's memory (`new_memory.py`), small ones
go there some at a time through memory that is used again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import numpy as np

from monitored import errors
from monitored._checkpoint import TensorReader, open_checkpoint
from monitored._graph.effects import bodies_of
from monitored._graph.graph import Graph
from monitored._graph.operation import Operation
from monitored._run.new_memory import copied_memory, new_memory
from monitored._run.session import BaseSession
from monitored._train.companions import companions_of, states_in
from monitored._train.restore_plan import STREAM, RestorePlan, check, compare, sizes_of
from monitored._train.saver_nodes import Partitioned, Variables, operations_of

__all__: list[str] = []

Array = np.ndarray[Any, Any]

_MOST: Final = 16 << 20  # bytes of values that are restored together
_LARGE: Final = 1 << 20  # bytes of a value that is read into the device's memory at once
_PAYS: Final = 32 << 20  # bytes of all of these: with less, to get that memory takes as long as copies
_REUSED: Final = 256 << 20  # bytes of a larger value get memory of their own, after it was looked at more closely
_ALIGNMENT: Final = 64  # bytes
_STREAM_TYPE: Final = (np.dtype(np.uint32), (3,))  # two words of key and a counter


def streams_of(graph: Graph) -> dict[str, Operation]:
    """The random operations of a graph, those in the bodies of branches and loops included.

    Args:
        graph: The graph.

    Returns:
        The name of the stream in a checkpoint -> the operation.
    """
    found: dict[str, Operation] = {}

    def visit(graph: Graph, path: str) -> None:
        for op in graph._operations:
            if op.op_def.random:
                found[path + op.name] = op
            for index, body in enumerate(bodies_of(op)):
                # A body's operations have names of their own, so where it stands is part of theirs.
                visit(body, f"{path}{op.name}:{index}/")

    visit(graph, STREAM)
    return found


def take(
    session: BaseSession,
    variables: Variables,
    streams: Mapping[str, Operation] | None,
    kept: dict[Operation, Array],
) -> dict[str, Any]:
    """Reads a session's state at one moment.

    Args:
        session: The session.
        variables: Name in the checkpoint -> variable.
        streams: Name in the checkpoint -> random operation; those that have drawn nothing yet are left out. None if the
            variables are a part of the model only, with which nothing else goes, the companions' states neither.
        kept: Arrays for the copies; see `StateStore.copies`.

    Returns:
        Name -> value, in the order of the names; for a partitioned variable a list of its parts'.

    Raises:
        FailedPreconditionError: If a variable has no value.
        TypeError: If the state of a companion holds something that cannot be saved.
    """
    store = session._store
    states = {} if streams is None else companions_of(session).tensors()
    with store.lock:
        wanted = {**variables, **{name: op for name, op in (streams or {}).items() if op in store.values}}
        copies = store.copies(dict.fromkeys(op for one in wanted.values() for op in operations_of(one)), kept)
    found = {**{name: _value(variable, copies) for name, variable in wanted.items()}, **states}
    return {name: found[name] for name in sorted(found)}


def _value(variable: Operation | Partitioned, values: Mapping[Operation, Array]) -> Array | list[Array]:
    return values[variable] if isinstance(variable, Operation) else [values[op] for op, _ in variable.parts]


def restore(
    session: BaseSession,
    prefix: str,
    variables: Variables,
    streams: Mapping[str, Operation] | None,
    reshape: bool = False,
    strict: bool = True,
    renamed: Mapping[str, str] | None = None,
) -> RestorePlan:
    """Gives a session the state that a checkpoint holds, after every byte of it was compared with its checksum.

    Args:
        session: The session.
        prefix: The checkpoint's path without `.index`.
        variables: Name in the checkpoint -> variable.
        streams: Name in the checkpoint -> random operation. In a checkpoint with streams, one that is not there had
            drawn nothing yet, and starts anew; TensorFlow's checkpoints have none, and change none. None as for `take`.
        reshape: Whether a variable takes a value of another shape, if that has as many elements.
        strict: Whether all variables must be there and fit. If not, those that do not are left as they are.
        renamed: Variables' names -> the names that they had before.

    Returns:
        What the checkpoint had for the variables.

    Raises:
        NotFoundError: If a variable is not in the checkpoint; when not strict, if none is.
        InvalidArgumentError: If one is there with another shape or dtype, and the restore is strict.
        ValueError: If `renamed` does not fit the graph.
        DataLossError: If the checkpoint is damaged: a checksum is wrong, or a file is cut off or missing.
        OpError: If it could not be read for another reason. The session is as it was.
    """
    reader = open_checkpoint(prefix)
    pairs = list(variables.items())
    plan, sources = compare(reader, prefix, pairs, renamed, reshape)
    check(plan, pairs, strict)
    held = reader.keys()
    has_streams = any(name.startswith(STREAM) for name in held)
    restarted = [op for name, op in (streams or {}).items() if has_streams and not reader.has(name)]
    drawn: list[tuple[Operation | Partitioned, str]] = []
    drawn.extend((op, name) for name, op in (streams or {}).items() if reader.has(name))
    store = session._store
    # In a thread that ends: the C library keeps what it leaves over beside an array for the thread, and as long as it
    # does, the place of an array that is let go is too small for another one.
    with ThreadPoolExecutor(1) as thread:
        places = thread.submit(_places, reader, sources, store.device).result()
    values: dict[Operation, Any] = {}

    def read(batch: _Batch, memory: Array) -> dict[Operation, Any]:
        found: dict[Operation, Any] = {}
        for variable, name, start in batch.sources:
            place, filled = places.get(variable, (None, memory[start:]))
            value: Any = reader.read(name, filled)
            if variable not in sources and (value.dtype, value.shape) != _STREAM_TYPE:
                raise errors.DataLossError(None, None, f"{prefix}: {name} is not the stream of a random operation.")
            if reshape and variable in sources and (sizes := sizes_of(variable)) is not None:
                value = value.reshape(sizes)
            if place is not None and np.may_share_memory(value, filled):
                value = place
            found.update(variable.taken_from(value) if isinstance(variable, Partitioned) else {variable: value})
        return found

    try:
        reader.check_tree_hash()
        for found in _read_ahead(read, list(_batches(reader, (*sources.items(), *drawn), places))):
            values.update(zip(found, store.place(list(found.values())), strict=True))
        states = {} if streams is None else states_in(reader.read, held, prefix)
    except errors.NotFoundError as error:  # not a name, for they are there, but a file
        raise errors.DataLossError(None, None, f"{prefix} is incomplete: {error.message}") from error
    with store.lock:
        store.load(values)
        for op in restarted:
            store.values.pop(op, None)
    companions_of(session).restore(states)
    return plan


def _places(
    reader: TensorReader, sources: Mapping[Operation | Partitioned, str], device: Any
) -> dict[Operation | Partitioned, tuple[Any, Array]]:
    """Takes memory of the device for large values: variable -> the array, and its bytes to be filled."""
    dtypes, kinds = reader.dtype_map(), {}
    for variable, name in sources.items():
        sizes = sizes_of(variable) if isinstance(variable, Operation) else None
        if sizes is not None and not dtypes[name].hasobject and math.prod(sizes) * dtypes[name].itemsize >= _LARGE:
            kinds[variable] = (tuple(sizes), dtypes[name])
    if sum(math.prod(sizes) * dtype.itemsize for sizes, dtype in kinds.values()) < _PAYS:
        return {}
    taken = new_memory(tuple(kinds.values()), device)
    return {} if taken is None else dict(zip(kinds, taken, strict=True))


class _Batch(NamedTuple):
    """Values that are restored together: some megabytes, or one that is larger."""

    sources: list[tuple[Operation | Partitioned, str, int]]  # variable, name in the checkpoint, where in the scratch
    size: int  # bytes of the values
    scratch: int  # bytes of those that have no place of their own


def _batches(
    reader: TensorReader, sources: Iterable[tuple[Operation | Partitioned, str]], places: Container[object]
) -> Iterator[_Batch]:
    """Divides what is to be read, in its order."""
    shapes, dtypes = reader.shape_map(), reader.dtype_map()
    batch = _Batch([], 0, 0)
    for variable, name in sources:
        size = -(-math.prod(shapes[name]) * dtypes[name].itemsize // _ALIGNMENT) * _ALIGNMENT
        if batch.sources and batch.size + size > _MOST:
            yield batch
            batch = _Batch([], 0, 0)
        batch.sources.append((variable, name, batch.scratch))
        batch = _Batch(batch.sources, batch.size + size, batch.scratch + (0 if variable in places else size))
    if batch.sources:
        yield batch


def _read_ahead(
    read: Callable[[_Batch, Array], dict[Operation, Array]], batches: Sequence[_Batch]
) -> Iterator[dict[Operation, Array]]:
    """Reads batches in two threads, some while those before are made use of, in two pieces of memory by turns.

    Whoever iterates copies them to the device, all in one thread: what others allocate the C library gives back when
    they end, and memory that is new again and again takes three times as long.
    """
    size = max((batch.scratch for batch in batches if batch.scratch <= _REUSED), default=0)
    memories = [copied_memory(size) for _ in batches[:2]]
    with ThreadPoolExecutor(2) as threads:
        before: Future[dict[Operation, Array]] | None = None
        for number, batch in enumerate(batches):
            coming = threads.submit(read, batch, memories[number % 2])
            if before is not None:
                yield before.result()
            before = coming
        if before is not None:
            yield before.result()


def initialize_rest(session: BaseSession, variables: Iterable[Operation]) -> list[str]:
    """Initializes the variables that have no value.

    Args:
        session: The session.
        variables: The variables.

    Returns:
        The names of those that had none.
    """
    rest = {op for op in variables if op not in session._store.values}
    initializers: dict[Operation, Any] = {}
    for key in session.graph.get_all_collection_keys():
        for item in session.graph.get_collection(key):
            op, initializer = getattr(item, "op", None), getattr(item, "initializer", None)
            if op in rest and initializer is not None:
                initializers[op] = initializer
    if initializers:
        session.run(list(initializers.values()))
    return [op.name for op in initializers]
