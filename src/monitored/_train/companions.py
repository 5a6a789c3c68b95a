"""Companions: objects of the host whose state goes with the variables into checkpoints, and comes back from there.

They are hooks with a `state_dict`, and the iterators that the program registered. A state is what `json` can write, in
which there may also be bytes and NumPy arrays. In a checkpoint it is a few tensors, which TensorFlow passes over:

    _monitored/state/LoggingTensorHook           the JSON text, in which places stand for bytes and arrays
    _monitored/state_part/LoggingTensorHook:0    one of those

Nothing of it is ever executed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from monitored import errors
from monitored._graph.graph import Graph, get_default_graph
from monitored._run.session import BaseSession

__all__ = ["register_iterator"]

_log: Final = logging.getLogger("monitored")

STATE: Final = "_monitored/state/"  # before the names of companions in a checkpoint
PART: Final = "_monitored/state_part/"

Array = np.ndarray[Any, Any]


class Stateful(Protocol):
    """What has a state of its own."""

    def state_dict(self) -> Any:
        """The state at this moment."""

    def load_state_dict(self, state: Any) -> None:
        """Takes over a state."""


class _Getting(NamedTuple):
    """An object of which the state is got and set, as of Grain's iterators."""

    state_dict: Callable[[], Any]
    load_state_dict: Callable[[Any], Any]


def register_iterator(iterator: Any, name: str = "iterator", graph: Graph | None = None) -> Any:
    """Saves where an iterator stands with every checkpoint, and sets it there when one is restored.

    A run that is resumed then goes on with the very element that was next when the checkpoint was made.

        batches = tf.train.register_iterator(grain.MapDataset.source(rows).shuffle(seed=0).batch(32).to_iter_dataset())
        batches = tf.train.register_iterator(iter(stateful_data_loader), name="train")

    Args:
        iterator: An object with `state_dict()` and `load_state_dict(state)`, or with `get_state()` and
            `set_state(state)`. A state may hold None, booleans, numbers, strings, bytes, NumPy arrays, and lists and
            dictionaries of them.
        name: What tells it from the graph's other iterators; the same in the process that resumes.
        graph: The graph whose checkpoints it goes with; the default one when None.

    Returns:
        The iterator.

    Raises:
        TypeError: If the iterator has no such methods.
        ValueError: If the graph has another iterator of this name.
    """
    stateful: Stateful
    if callable(getattr(iterator, "state_dict", None)) and callable(getattr(iterator, "load_state_dict", None)):
        stateful = iterator
    elif callable(getattr(iterator, "get_state", None)) and callable(getattr(iterator, "set_state", None)):
        stateful = _Getting(iterator.get_state, iterator.set_state)
    else:
        raise TypeError(
            f"{iterator!r} cannot tell where it stands: an iterator needs state_dict() and load_state_dict(state), or "
            "get_state() and set_state(state). Instead, let each step's input follow from the global step, which every "
            "checkpoint holds:\n  rows = np.random.RandomState(step).randint(len(images), size=batch_size)"
        )
    registered, key = (graph or get_default_graph())._iterators, f"iterator/{name}"
    if key in registered:
        raise ValueError(f"The graph has an iterator with the name {name!r} already: give this one another name.")
    registered[key] = stateful
    return iterator


class Companions:
    """The companions of a session.

    Attributes:
        members: Name -> what has a state.
        waiting: Name -> state: restored, for members that have not joined yet.
        settle: Called before members are asked for their states or given new ones: what they are to be told yet.
    """

    def __init__(self, iterators: Mapping[str, Stateful]) -> None:
        self.members: dict[str, Stateful] = dict(iterators)
        self.waiting: dict[str, Any] = {}
        self.settle: Callable[[], None] = lambda: None

    def join(self, members: Mapping[str, Stateful]) -> None:
        """Adds members, which take over the states that wait for them."""
        self.members.update(members)
        for name in members:
            if name in self.waiting:
                members[name].load_state_dict(self.waiting.pop(name))

    def tensors(self) -> dict[str, Array]:
        """The states of all members, as they stand in a checkpoint.

        Raises:
            TypeError: If a state holds something that cannot be saved.
        """
        self.settle()
        found: dict[str, Array] = {}
        for name, member in self.members.items():
            parts: list[Array] = []
            text = json.dumps(_encoded(member.state_dict(), parts, name))
            found[STATE + name] = np.array(text.encode(), object)
            found.update({f"{PART}{name}:{i}": part for i, part in enumerate(parts)})
        return found

    def restore(self, states: Mapping[str, Any]) -> None:
        """Gives members their states; a state whose member is not there waits for it."""
        self.settle()
        for name, state in states.items():
            member = self.members.get(name)
            if member is None:
                self.waiting[name] = state
            else:
                member.load_state_dict(state)


def companions_of(session: BaseSession) -> Companions:
    """The companions of a session.

    Args:
        session: The session.

    Returns:
        Its companions, at first the iterators of its graph.
    """
    found: Companions | None = session._companions
    if found is None:
        found = session._companions = Companions(session.graph._iterators)
    return found


def states_in(read: Callable[[str], Array], names: Iterable[str], prefix: str) -> dict[str, Any]:
    """The states that a checkpoint holds.

    Args:
        read: Gives the value of a tensor.
        names: The names of the checkpoint's tensors.
        prefix: The checkpoint, for messages.

    Returns:
        Name -> state.

    Raises:
        DataLossError: If something there is no state.
    """
    found: dict[str, Any] = {}
    for name in names:
        if name.startswith(STATE):
            owner = name.removeprefix(STATE)
            try:
                content = json.loads(bytes(read(name)[()]))
                found[owner] = _decoded(content, partial(_part, read, owner))
            except (ValueError, TypeError, KeyError, IndexError, RecursionError, errors.NotFoundError) as error:
                raise errors.DataLossError(None, None, f"{prefix}: {name} is no state: {error!r}") from error
    return found


def _encoded(value: Any, parts: list[Array], owner: str) -> Any:
    """A value as JSON has it. What `json` cannot write goes into `parts`; dictionaries and places there differ."""
    if isinstance(value, Mapping):
        strange = next((key for key in value if not isinstance(key, str)), None)
        if strange is not None:
            raise TypeError(f"The state of {owner} has the key {strange!r}: only strings can be saved.")
        return {"dict": {key: _encoded(item, parts, owner) for key, item in value.items()}}
    if isinstance(value, (list, tuple)):
        return [_encoded(item, parts, owner) for item in value]
    if value is None or (isinstance(value, (bool, int, float, str)) and not isinstance(value, np.generic)):
        return value
    if isinstance(value, bytes):
        parts.append(np.array(value, object))
        return {"bytes": len(parts) - 1}
    if isinstance(value, (np.ndarray, np.generic)) and (value.dtype != object):
        parts.append(np.asarray(value))
        return {"array": len(parts) - 1}
    raise TypeError(
        f"The state of {owner} holds a {type(value).__name__}, which cannot be saved: {value!r}. A state may "
        "hold None, booleans, numbers, strings, bytes, NumPy arrays, and lists and dictionaries of them."
    )


def _part(read: Callable[[str], Array], owner: str, place: int) -> Array:
    return read(f"{PART}{owner}:{place}")


def _decoded(content: Any, part: Callable[[int], Array]) -> Any:
    if isinstance(content, list):
        return [_decoded(item, part) for item in content]
    if not isinstance(content, dict):
        return content
    ((kind, inner),) = content.items()
    if kind == "dict":
        return {key: _decoded(item, part) for key, item in inner.items()}
    if kind == "bytes":
        return bytes(part(int(inner))[()])
    if kind == "array":
        return part(int(inner))
    raise ValueError(f"unknown kind {kind!r}")
