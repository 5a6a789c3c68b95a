"""Nested structures: lists, tuples, namedtuples, attrs classes and dicts of leaves, taken apart and put together.

Dicts are taken in the order of their sorted keys, as TensorFlow does, so that equal dicts give equal lists. An object
with ``_flatten_parts()`` and ``_with_parts(parts)`` (a `TensorArray`) counts as a structure of its parts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any


def is_nested(value: Any) -> bool:
    """Whether a value is a structure rather than a leaf."""
    return isinstance(value, (list, tuple, Mapping)) or hasattr(value, "__attrs_attrs__")


def flatten(structure: Any) -> list[Any]:
    """The leaves of a structure, in order; a leaf alone gives a list of one."""
    if hasattr(structure, "_flatten_parts"):
        return [leaf for part in structure._flatten_parts() for leaf in flatten(part)]
    if not is_nested(structure):
        return [structure]
    return [leaf for child in _children(structure) for leaf in flatten(child)]


def pack_sequence_as(structure: Any, leaves: Iterable[Any]) -> Any:
    """A structure like another with other leaves.

    Raises:
        ValueError: If there are too few or too many leaves.
    """
    iterator = iter(leaves)
    try:
        packed = _pack(structure, iterator)
    except StopIteration:
        raise ValueError(f"Too few leaves for the structure {structure}.") from None
    if next(iterator, iterator) is not iterator:
        raise ValueError(f"Too many leaves for the structure {structure}.")
    return packed


def map_structure(function: Callable[..., Any], *structures: Any) -> Any:
    """A structure of what a function gives for the leaves of structures that are alike."""
    for other in structures[1:]:
        assert_same_structure(structures[0], other)
    return pack_sequence_as(
        structures[0], [function(*leaves) for leaves in zip(*map(flatten, structures), strict=True)]
    )


def assert_same_structure(one: Any, other: Any) -> None:
    """Checks that two structures nest alike.

    Raises:
        ValueError: If they do not.
    """
    if is_nested(one) != is_nested(other):
        raise ValueError(f"The two structures don't have the same nested structure: {one!r} and {other!r}.")
    if not is_nested(one):
        return
    mine, theirs = _children(one), _children(other)
    if len(mine) != len(theirs) or isinstance(one, Mapping) != isinstance(other, Mapping):
        raise ValueError(f"The two structures don't have the same number of elements: {one!r} and {other!r}.")
    if isinstance(one, Mapping) and sorted(one) != sorted(other):
        raise ValueError(f"The two dictionaries don't have the same set of keys: {sorted(one)} and {sorted(other)}.")
    for a, b in zip(mine, theirs, strict=True):
        assert_same_structure(a, b)


def _children(structure: Any) -> list[Any]:
    if isinstance(structure, Mapping):
        return [structure[key] for key in sorted(structure)]
    if hasattr(structure, "__attrs_attrs__"):
        return [getattr(structure, a.name) for a in structure.__attrs_attrs__]
    return list(structure)


def _pack(structure: Any, leaves: Iterator[Any]) -> Any:
    if hasattr(structure, "_flatten_parts"):
        return structure._with_parts([_pack(part, leaves) for part in structure._flatten_parts()])
    if not is_nested(structure):
        return next(leaves)
    kind: Any = type(structure)
    if isinstance(structure, Mapping):
        values = {key: _pack(structure[key], leaves) for key in sorted(structure)}
        pairs = [(key, values[key]) for key in structure]
        factory = getattr(structure, "default_factory", None)
        return kind(pairs) if factory is None else kind(factory, pairs)
    children = [_pack(child, leaves) for child in _children(structure)]
    if hasattr(structure, "_fields") or hasattr(structure, "__attrs_attrs__"):
        return kind(*children)
    return kind(children)
