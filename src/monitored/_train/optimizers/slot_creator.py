"""Slots: variables that an optimizer keeps beside another variable, such as its momentum, named after it."""

from __future__ import annotations

from typing import Any

from monitored._graph import dtypes
from monitored._graph.build import apply
from monitored._ops import initializers
from monitored._ops.save_slices import SaveSliceInfo
from monitored._ops.variable_scope import get_variable, get_variable_scope, variable_scope

__all__ = ["create_slot", "create_slot_with_initializer", "create_zeros_slot"]


def create_slot(primary: Any, val: Any, name: str, colocate_with_primary: bool = True) -> Any:
    """Makes a slot that starts with a given value.

    Args:
        primary: The variable (or tensor) beside which it stands.
        val: The initial value, a tensor.
        name: The slot's name, put behind the primary's.
        colocate_with_primary: Accepted; everything is on one device.

    Returns:
        The slot: a variable that is not trained.
    """
    return _create(primary, name, initializer=val, validate_shape=val.shape.is_fully_defined())


def create_slot_with_initializer(
    primary: Any, initializer: Any, shape: Any, dtype: Any, name: str, colocate_with_primary: bool = True
) -> Any:
    """Makes a slot that starts with what an initializer gives.

    Args:
        primary: The variable (or tensor) beside which it stands.
        initializer: The initializer.
        shape: The slot's shape.
        dtype: The slot's type.
        name: The slot's name, put behind the primary's.
        colocate_with_primary: Accepted; everything is on one device.

    Returns:
        The slot: a variable that is not trained.
    """
    return _create(
        primary, name, initializer=initializer, validate_shape=shape.is_fully_defined(), shape=shape, dtype=dtype
    )


def create_zeros_slot(primary: Any, name: str, dtype: Any = None, colocate_with_primary: bool = True) -> Any:
    """Makes a slot of the primary's shape that starts with zeros.

    Args:
        primary: The variable (or tensor) beside which it stands.
        name: The slot's name, put behind the primary's.
        dtype: The slot's type; the primary's by default.
        colocate_with_primary: Accepted; everything is on one device.

    Returns:
        The slot: a variable that is not trained.
    """
    dtype = primary.dtype.base_dtype if dtype is None else dtypes.as_dtype(dtype)
    if primary.shape.is_fully_defined():
        return create_slot_with_initializer(primary, initializers.zeros_initializer(), primary.shape, dtype, name)
    zeros = apply("Fill", apply("Shape", primary), apply("Cast", 0, DstT=dtype))
    return create_slot(primary, zeros, name)


def _create(primary: Any, name: str, **arguments: Any) -> Any:
    # Named after the primary, "w/Momentum", whatever scope it came from; a second optimizer's is "w/Momentum_1".
    with variable_scope(None, f"{primary.op.name}/{name}"):
        get_variable_scope().set_partitioner(None)
        slot = get_variable("", trainable=False, **arguments)
    whole = getattr(primary, "_save_slice_info", None)
    if whole is not None and slot.shape.as_list() == whole.var_shape:  # saved as a part, too
        own = slot.op.name.removeprefix(primary.op.name + "/")
        slot._set_save_slice_info(
            SaveSliceInfo(f"{whole.full_name}/{own}", whole.full_shape, whole.var_offset, whole.var_shape)
        )
    return slot
