"""Memory of the processor's device that a host writes into before it is anyone's value.

What JAX copies from the host is in memory twice meanwhile, and for hundreds of megabytes the copy takes longer than to
read it from the disk's cache. Here the memory is taken first and filled in place.

XLA gives out memory that nobody wrote into for the result of a call to foreign code. The foreign code here does
nothing. XLA calls it by the structures below, the first fields of those in `xla/ffi/api/c_api.h`, which only grow at
their ends; whatever goes wrong, there is no such memory, and values are copied.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import jax
import numpy as np

__all__: list[str] = []

Kind = tuple[tuple[int, ...], np.dtype[Any]]  # of an array: its shape and dtype
Bytes = np.ndarray[Any, np.dtype[np.uint8]]

_NAME: Final = "monitored_new_memory"
_ELEMENTS: Final = {  # what XLA calls them
    "bool": "i1", "bfloat16": "bf16", "complex64": "complex<f32>", "complex128": "complex<f64>",
    **{f"float{bits}": f"f{bits}" for bits in (16, 32, 64)},
    **{f"{sign}int{bits}": f"{sign}i{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}  # fmt: skip
_METADATA: Final = 1  # the extension by which XLA asks a handler for its version, when it is registered
_SHARED: Final = 64  # bytes; see `copied_memory`
_BEHIND: Final = 16  # bytes; as much as any dtype asks for


class _Version(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("extensions", ctypes.c_void_p),
        ("major", ctypes.c_int),
        ("minor", ctypes.c_int),
    )


class _Metadata(ctypes.Structure):
    _fields_ = (("struct_size", ctypes.c_size_t), ("version", _Version))


class _Extension(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("type", ctypes.c_int),
        ("next", ctypes.c_void_p),
        ("metadata", ctypes.POINTER(_Metadata)),
    )


class _Api(ctypes.Structure):
    _fields_ = (("struct_size", ctypes.c_size_t), ("extensions", ctypes.c_void_p), ("version", _Version))


class _CallFrame(ctypes.Structure):
    _fields_ = (
        ("struct_size", ctypes.c_size_t),
        ("extensions", ctypes.POINTER(_Extension)),
        ("api", ctypes.POINTER(_Api)),
    )


def _do_nothing(pointer: Any) -> None:
    """Leaves the result as it is; asked for the version that it was made for, gives XLA's own."""
    frame = pointer.contents
    if frame.extensions and frame.extensions.contents.type == _METADATA:
        asked, own = frame.extensions.contents.metadata.contents.version, frame.api.contents.version
        asked.major, asked.minor = own.major, own.minor


_HANDLER: Final = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.POINTER(_CallFrame))(_do_nothing)


def new_memory(kinds: tuple[Kind, ...], device: Any) -> list[tuple[jax.Array, Bytes]] | None:
    """Takes memory for arrays on a device.

    Args:
        kinds: The arrays' shapes and dtypes. For kinds that it has not seen, XLA compiles: 11 ms, and 0.15 ms for each.
        device: The device; JAX's default one when None.

    Returns:
        For each the array, and its memory as an array of uint8 that can be written into as long as the first is held by
        nobody else. None if there is no such memory: on another device than the processor, or for a dtype that is
        not in `_ELEMENTS`.
    """
    try:
        device = device or jax.local_devices()[0]
        if device.platform != "cpu":
            return None
        arrays: list[Any] = [array.block_until_ready() for array in _maker(kinds, device)([])]
        return [(array, _bytes_at(array.unsafe_buffer_pointer(), array.nbytes)) for array in arrays]
    except Exception:  # of any kind: this only saves time
        return None


def copied_memory(size: int) -> Bytes:
    """Takes memory of the host that JAX copies from, and never shares: it shares what begins at a multiple of 64 bytes.

    Args:
        size: Bytes.

    Returns:
        An array of uint8, not filled, which begins 16 bytes after such a multiple.
    """
    memory = np.empty(size + _SHARED + _BEHIND, np.uint8)
    start = -memory.ctypes.data % _SHARED + _BEHIND
    return memory[start : start + size]


def _bytes_at(address: int, size: int) -> Bytes:
    return np.ctypeslib.as_array((ctypes.c_ubyte * size).from_address(address))


@cache
def _maker(kinds: tuple[Kind, ...], device: Any) -> Callable[[list[Any]], Any]:
    """Compiles the program. It is written by hand: the first one that JAX writes for a process takes 40 ms."""
    from jaxlib import xla_client  # here, for it is not of what JAX promises to keep

    _register()
    types = ", ".join(f"tensor<{'x'.join([*map(str, shape), _ELEMENTS[dtype.name]])}>" for shape, dtype in kinds)
    program = f"""
      func.func public @main() -> ({types}) {{
        %made:{len(kinds)} = stablehlo.custom_call @{_NAME}() {{api_version = 4 : i32}} : () -> ({types})
        return {", ".join(f"%made#{i}" for i in range(len(kinds)))} : {types}
      }}"""
    devices, options = xla_client.DeviceList((device,)), xla_client.CompileOptions()
    made: Callable[[list[Any]], Any] = device.client.compile_and_load(program.encode(), devices, options).execute
    return made


@cache
def _register() -> None:
    jax.local_devices(backend="cpu")  # starts the backend; what is registered before could keep it from starting
    capsule = jax.ffi.pycapsule(_HANDLER)  # type: ignore[no-untyped-call]  # JAX leaves it untyped
    jax.ffi.register_ffi_target(_NAME, capsule, platform="cpu")
