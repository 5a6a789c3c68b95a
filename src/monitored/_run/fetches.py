"""The structures that `Session.run` takes and gives back: fetches in any nesting, and feeds."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import jax
import numpy as np

from monitored._graph import dtypes
from monitored._graph.build import make_array
from monitored._graph.graph import Graph
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape

_MANY_SHAPES: Final = 1000  # more different shapes than this are not remembered

Rebuild = Callable[[Sequence[Any]], Any]


_SCALAR_TYPES: Final = frozenset({np.int32, np.int64, np.float32, np.float64, np.bool_})  # not worth a closer look
_LEAF_TYPES: set[type] = {Tensor, Operation, str}  # and other types found to be no structures, as variables are


def signature(fetches: Any) -> Any:
    """A hashable value that is equal for equal structures of the same elements.

    Raises:
        TypeError: If the structure holds None or something that cannot be fetched.
    """
    kind = type(fetches)
    if kind in _LEAF_TYPES:
        return fetches
    if kind is list or kind is tuple:
        return (kind, *[signature(f) for f in fetches])
    if isinstance(fetches, Mapping):
        return (kind, tuple(fetches), *[signature(f) for f in fetches.values()])
    if isinstance(fetches, (list, tuple)) or hasattr(fetches, "__attrs_attrs__"):
        return (kind, *[signature(f) for f in _children(fetches)])
    if fetches is None:
        raise TypeError("Fetch argument None has invalid type <class 'NoneType'>")
    _LEAF_TYPES.add(kind)
    return fetches


def _children(structure: Any) -> list[Any]:
    if hasattr(structure, "__attrs_attrs__"):
        return [getattr(structure, a.name) for a in structure.__attrs_attrs__]
    return list(structure)


class FetchMapper:
    """Finds the elements in a structure of fetches, and puts results in their places.

    Args:
        graph: The session's graph.
        fetches: A graph element, a name, a variable, or nested lists, tuples, namedtuples, attrs classes and
            mappings of these.

    Attributes:
        elements: The tensors and operations, each once, in the order of their first appearance.
        tensors: The tensors among them, whose values `rebuild` takes.

    Raises:
        TypeError: If something in the structure cannot be fetched.
        ValueError: If an element is of another graph, or may not be fetched.
    """

    def __init__(self, graph: Graph, fetches: Any) -> None:
        self._graph = graph
        self._places: dict[Tensor | Operation, int] = {}
        self.rebuild = self._map(fetches)
        self.elements: tuple[Tensor | Operation, ...] = tuple(self._places)
        self.tensors = tuple(e for e in self.elements if isinstance(e, Tensor))

    def _map(self, fetches: Any) -> Rebuild:
        if isinstance(fetches, Mapping):
            return self._map_mapping(fetches)
        if isinstance(fetches, (list, tuple)) or hasattr(fetches, "__attrs_attrs__"):
            return self._map_sequence(fetches)
        parts = getattr(fetches, "_fetch_parts", None)
        if parts is not None:  # a value of several tensors, such as IndexedSlices
            children, assemble = parts()
            inner = self._map_all(children)
            return lambda results: assemble([part(results) for part in inner])
        return self._map_element(fetches)

    def _map_all(self, fetches: Sequence[Any]) -> list[Rebuild]:
        return [self._map(f) for f in fetches]

    def _map_mapping(self, fetches: Mapping[Any, Any]) -> Rebuild:
        kind: Any = type(fetches)
        keys, children = list(fetches), self._map_all(list(fetches.values()))
        factory = getattr(fetches, "default_factory", None)
        if factory is not None:
            return lambda results: kind(factory, zip(keys, [c(results) for c in children], strict=True))
        return lambda results: kind(zip(keys, [c(results) for c in children], strict=True))

    def _map_sequence(self, fetches: Any) -> Rebuild:
        kind: Any = type(fetches)
        children = self._map_all(_children(fetches))
        if kind is list and len(children) == 1:
            only = children[0]
            return lambda results: [only(results)]
        if kind is list and len(children) == 2:  # as every step of a monitored session whose hooks want the global step
            first, second = children
            return lambda results: [first(results), second(results)]
        if kind is list:
            return lambda results: [c(results) for c in children]
        if hasattr(fetches, "_fields") or hasattr(fetches, "__attrs_attrs__"):
            return lambda results: kind(*[c(results) for c in children])
        return lambda results: kind([c(results) for c in children])

    def _map_element(self, fetch: Any) -> Rebuild:
        try:
            element = self._graph.as_graph_element(fetch)
        except TypeError as error:
            raise TypeError(
                f"Fetch argument {fetch!r} has invalid type {type(fetch)}, must be a string or Tensor. ({error})"
            ) from None
        except ValueError as error:
            raise ValueError(f"Fetch argument {fetch!r} cannot be interpreted as a Tensor. ({error})") from None
        except KeyError as error:
            raise ValueError(f"Fetch argument {fetch!r} cannot be interpreted as a Tensor. ({error})") from None
        if not self._graph.is_fetchable(element):
            raise ValueError(f"Operation {element.name!r} has been marked as not fetchable.")
        if isinstance(element, Operation):
            self._places.setdefault(element, -1)
            return lambda results: None
        if element not in self._places:
            self._places[element] = sum(place >= 0 for place in self._places.values())
        place = self._places[element]
        return lambda results: results[place]


def to_host(value: Any, kept: bool = False) -> Any:
    """A result as the caller gets it: a NumPy array of its own, a scalar for rank 0.

    Args:
        value: An array on the device or the host.
        kept: Whether nobody else has the array, so that it need not be copied.
    """
    if type(value) in _SCALAR_TYPES:
        return value
    if isinstance(value, jax.Array):
        array = np.asarray(value)
        return array[()] if array.ndim == 0 else array.copy()
    if isinstance(value, np.ndarray):
        return value[()] if value.ndim == 0 else value if kept else value.copy()
    return value


def is_nested(feed_dict: Mapping[Any, Any]) -> bool:
    """Whether some key stands for several tensors: a tuple of keys, or a value such as IndexedSlices."""
    return any(isinstance(key, tuple) or hasattr(key, "_fetch_parts") for key in feed_dict)


def flat_feeds(feed_dict: Mapping[Any, Any]) -> dict[Any, Any]:
    """The same feeds, with keys that stand for several tensors taken apart.

    Raises:
        ValueError: If a value has not as many parts as its key, or a part is fed twice.
    """
    flat: dict[Any, Any] = {}
    for key, value in feed_dict.items():
        parts = [*_parts_of(key)]
        values = [value] if parts == [key] else [*value] if hasattr(key, "_fetch_parts") else [*_parts_of(value)]
        if len(parts) != len(values):
            raise ValueError(
                f"Could not flatten dictionary. Key had {len(parts)} elements, but value had {len(values)} elements. "
                f"Key: {parts}, value: {values}."
            )
        for part, part_value in zip(parts, values, strict=True):
            if part in flat:
                raise ValueError(f"Could not flatten dictionary: key {part} is not unique.")
            flat[part] = part_value
    return flat


def _parts_of(structure: Any) -> Iterator[Any]:
    """The leaves of a key of several tensors, or of the values for one."""
    if hasattr(structure, "_fetch_parts"):
        structure = tuple(structure._fetch_parts()[0])
    if isinstance(structure, (tuple, list)):
        for item in structure:
            yield from _parts_of(item)
    else:
        yield structure


def _exact_integers(dtype: np.dtype[Any]) -> range:
    """Integers that a type certainly holds."""
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return range(int(limits.min), int(limits.max) + 1)
    return range(-256, 257) if dtype.kind == "f" else range(0)


class Feed:
    """Checks and converts the values fed for one tensor.

    Args:
        graph: The session's graph.
        key: What stands in the feed dictionary: a tensor, a variable or a name.

    Raises:
        TypeError: If it means no tensor.
        ValueError: If it is of another graph, or may not be fed.
    """

    def __init__(self, graph: Graph, key: Any) -> None:
        try:
            self.tensor: Tensor = graph.as_graph_element(key, allow_operation=False)
        except (TypeError, ValueError, KeyError) as error:
            text = error.args[0] if error.args else error
            raise TypeError(f"Cannot interpret feed_dict key as Tensor: {text}") from None
        if not graph.is_feedable(self.tensor):
            raise ValueError(f"Tensor {self.tensor} may not be fed.")
        self._dtype = self.tensor.dtype.base_dtype
        self._numpy = np.dtype(self._dtype.as_numpy_dtype)
        self._accepted: set[tuple[int, ...]] = set()  # shapes found to fit
        self._exact = _exact_integers(self._numpy)

    def convert(self, value: Any) -> Any:
        """The array to feed for a value.

        Args:
            value: An array, a number, a string or nested lists.

        Returns:
            An array of the tensor's type; the value itself when it is one already.

        Raises:
            TypeError: If the value is a tensor or cannot have the type.
            ValueError: If its shape does not fit.
        """
        if type(value) is np.ndarray and value.dtype is self._numpy and value.shape in self._accepted:
            return value
        return self._convert_slowly(value)

    def _convert_slowly(self, value: Any) -> Any:
        kind = type(value)
        plain = kind is float or kind is list or (kind is int and value in self._exact)
        if plain and self._numpy.kind != "O":
            return self._checked(self._array(value))
        if isinstance(value, (Tensor, Operation)) or hasattr(value, "_as_graph_element"):
            raise TypeError(
                "The value of a feed cannot be a tf.Tensor object. Acceptable feed values include Python scalars, "
                "strings, lists, numpy ndarrays, or TensorHandles. For reference, the tensor object was "
                f"{value} which was passed to the feed with key {self.tensor}. {self._described()}"
            )
        if isinstance(value, jax.Array) and value.dtype == self._numpy:
            array: Any = value
        elif self._dtype == dtypes.string:
            array = make_array(np.asarray(value, object) if isinstance(value, (list, tuple)) else value)
        elif isinstance(value, int) and not self._holds(value):
            raise TypeError(
                f"Type of feed value {value} with type {type(value)} is not compatible with Tensor type "
                f"{self._numpy.type}. Try explicitly setting the type of the feed tensor to a larger type (e.g. int64)."
                f" {self._described()}"
            )
        else:
            array = self._array(value)
        return self._checked(array)

    def _checked(self, array: Any) -> Any:
        """The array, if its shape fits."""
        if array.shape in self._accepted:
            return array
        if not self.tensor.shape.is_compatible_with(TensorShape(array.shape)):
            raise ValueError(
                f"Cannot feed value of shape {tuple(array.shape)} for Tensor '{self.tensor.name}', which has shape "
                f"'{self.tensor.shape}'. {self._described()}"
            )
        if len(self._accepted) < _MANY_SHAPES:
            self._accepted.add(tuple(array.shape))
        return array

    def _array(self, value: Any) -> np.ndarray[Any, Any]:
        try:
            return np.asarray(value, self._numpy)
        except (TypeError, ValueError, OverflowError) as error:
            kind = ValueError if isinstance(error, ValueError) else TypeError
            raise kind(f"{error} (feeding {reprlib.repr(value)}) {self._described()}") from None

    def _holds(self, value: int) -> bool:
        """Whether the type has a value for an integer; an infinite one is none."""
        try:
            with np.errstate(over="ignore"):
                held = self._numpy.type(value)
            return int(getattr(held, "real", held)) == value
        except OverflowError:
            return False

    def _described(self) -> str:
        tensor = self.tensor
        return f"'{tensor.name}' takes {self._dtype.name}, and was created at {tensor.op.creation_site}."
