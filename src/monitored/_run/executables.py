"""Compiled executables that outlive the process, so that a run that is started again takes its first step at once.

An executable is found by what it was made from: the operations of its segment and all that they depend on, with their
names, types and attributes; the shapes of what it takes; this library's source files, Python, JAX and its settings, the
device and, for a processor, what instructions it has. So whatever changes, nothing stale is found. Found that way, an
executable needs neither tracing nor compiling. Where an operation is a Python function, of which it is not known when
it changes, the segment is traced, and the executable found by the program that this gives.

Which executables a graph's sessions have used is noted, too. When a checkpoint is restored, or the first operation is
run, a thread begins to load them.

They are kept in the folder of JAX's own cache where that is set (``JAX_COMPILATION_CACHE_DIR``), else in
``~/.cache/monitored``, never beside checkpoints: loading an executable is running somebody's code, and a checkpoint may
come from anybody. ``JAX_ENABLE_COMPILATION_CACHE=false`` turns it off.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import logging
import os
import pickle
import platform
import re
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Final

import jax
import jaxlib.version
import numpy as np
from jax.experimental import serialize_executable

from monitored._graph.dtypes import DType
from monitored._graph.effects import VARIABLE_TYPES, bodies_of
from monitored._graph.func_graph import FuncGraph
from monitored._graph.graph import Graph
from monitored._graph.operation import Operation
from monitored._graph.shapes import Dimension, TensorShape
from monitored._plan.plan import Segment
from monitored._run.compiling import compile_for

_log: Final = logging.getLogger("monitored")

_WORTH_KEEPING: Final = 0.01  # seconds; what takes less time to make is not kept
_LARGEST: Final = 2 << 30  # bytes of all files; the ones unused for the longest time are removed
_SUFFIX: Final = ".executable"
_USED_SUFFIX: Final = ".used"
_MOST_AHEAD: Final = 32  # executables that are loaded before they are asked for
_NAME: Final = re.compile(r"[0-9a-f]{64}\.executable")
_CHECKSUM: Final = 32  # bytes at the beginning of a file
_SCOPED: Final = ("jax_default_matmul_precision", "jax_numpy_dtype_promotion", "jax_default_prng_impl")


class ExecutableCache:
    """The executables of a folder.

    Args:
        folder: The folder, made when something is first kept; None for a cache that keeps and finds nothing.
        device: The device that runs them; JAX's default when None.
    """

    def __init__(self, folder: Path | None, device: jax.Device | None) -> None:
        self._folder = folder
        self._device = device
        self._digests: dict[Operation, bytes | None] = {}  # None for one that depends on a Python function
        self._used: list[str] = []  # the names of the files that were used, in order
        self._ahead: dict[str, Future[Any]] = {}  # executables loaded before they were asked for, by name
        self._note: Path | None = None  # where to note what is used

    def get(
        self,
        segment: Segment,
        statics: Iterable[Any],
        shapes: Iterable[Any],
        lower: Callable[[], Any],
        kind: str = "step",
    ) -> tuple[Any, bool]:
        """The executable of a segment.

        Args:
            segment: The segment.
            statics: The values of its static tensors.
            shapes: What it takes: a `jax.ShapeDtypeStruct` for each argument.
            lower: Gives the `jax.stages.Lowered`, if the executable has to be made.
            kind: What is made of the segment, which tells it from what else is made of it.

        Returns:
            The executable, and whether it was made now.
        """
        if self._folder is None:
            return compile_for(self._runs_on, lower()), True
        began = time.perf_counter()
        parts = self._content(segment, statics, shapes)
        path = None if parts is None else self._path([kind.encode(), *parts])
        found = None if path is None else self._found(path)
        if found is not None:
            return found, False
        lowered = lower()
        if path is None:
            path = self._path([b"program", lowered.as_text().encode()])
            found = self._found(path)
            if found is not None:
                return found, False
        executable = compile_for(self._runs_on, lowered)
        if time.perf_counter() - began >= _WORTH_KEEPING:
            _keep(path, executable)
        _give_back_memory()
        return executable, True

    def _path(self, parts: Iterable[bytes]) -> Path:
        assert self._folder is not None
        return self._folder / (_hash([_surroundings(self._runs_on), *parts]).hex() + _SUFFIX)

    @property
    def _runs_on(self) -> jax.Device:
        return self._device or jax.local_devices()[0]

    def load_ahead(self, graph: Graph) -> None:
        """Loads in a thread what earlier sessions of a graph have used, as far as can be told from its variables.

        Args:
            graph: The graph, complete.
        """
        if self._folder is None or self._note is not None:
            return
        while isinstance(graph, FuncGraph):
            graph = graph.outer
        variables = sorted(op.name for op in graph._operations if op.type in VARIABLE_TYPES)
        with jax.enable_x64(True):  # the scope is one of the settings, and that of all executables
            self._note = self._path([b"used", *map(str.encode, variables)]).with_suffix(_USED_SUFFIX)
        try:
            names = self._note.read_text().split()
        except (OSError, UnicodeDecodeError):
            return
        thread = ThreadPoolExecutor(1, "executables")
        for name in names[:_MOST_AHEAD]:
            if _NAME.fullmatch(name):
                self._ahead[name] = thread.submit(self._load, self._folder / name)
        thread.shutdown(wait=False)

    def _found(self, path: Path) -> Any:
        """The executable that a file holds, which may have been loaded ahead; None if there is none that fits."""
        if path.name not in self._used:
            self._used.append(path.name)
            if self._note is not None:
                _write(self._note, "\n".join(self._used).encode())
        loading = self._ahead.pop(path.name, None)
        if loading is None or loading.cancel():  # it stands behind others
            return self._load(path)
        return loading.result() or self._load(path)

    def _load(self, path: Path) -> Any:
        """The executable that a file holds; None if there is none, or none that is whole and fits."""
        try:
            content = path.read_bytes()
            if hashlib.sha256(content[_CHECKSUM:]).digest() != content[:_CHECKSUM]:
                return None
            device, (binary, takes, gives) = self._runs_on, pickle.loads(content[_CHECKSUM:])
            executable = serialize_executable.deserialize_and_load(binary, takes, gives, device.client, [device])
            os.utime(path)
        except FileNotFoundError:
            return None
        except Exception as error:  # of another library's version, say: it is made anew
            _log.debug("The executable %s is not used: %r", path, error)
            return None
        return executable

    # -- what an executable is made from ------------------------------------------------------------------------------

    def _content(self, segment: Segment, statics: Iterable[Any], shapes: Iterable[Any]) -> list[bytes] | None:
        digests = [self._digest(op) for op in segment.ops]
        known = [digest for digest in digests if digest is not None]
        if len(known) < len(digests):
            return None
        places = (segment.inputs, segment.static, segment.outputs, segment.reads, segment.updates, segment.creates)
        outside = [self._digest(t.op) or b"outside" for t in (*segment.inputs, *segment.static, *segment.outputs)]
        names = repr([[item.name for item in place] for place in places])
        values = [repr((value.shape, str(value.dtype))).encode() + value.tobytes() for value in statics]
        taken = repr([(shape.shape, str(shape.dtype)) for shape in shapes])
        return [b"content", *known, *outside, names.encode(), *values, taken.encode()]

    def _digest(self, op: Operation) -> bytes | None:
        """A number for an operation and all that it depends on, or None; without recursion, for chains are long."""
        digests = self._digests
        stack = [op]
        while stack:
            one = stack[-1]
            if one in digests:
                stack.pop()
                continue
            missing = [other for other in _depends_on(one) if other not in digests]
            if missing:
                stack.extend(missing)
                continue
            digests[one] = self._digest_of(one)
            stack.pop()
        return digests[op]

    def _digest_of(self, op: Operation) -> bytes | None:
        arrays: list[bytes] = []
        try:
            attrs = [(name, _plain(value, arrays)) for name, value in sorted(op._attrs.items())]
        except TypeError:
            return None
        others = []
        for other in _depends_on(op):
            digest = self._digests[other]
            if digest is None and other.op_def.host is None:
                return None
            # Of what the host computes only the value counts, which is taken as it comes.
            others.append(digest or b"python" + other.name.encode())
        outputs = [(t.dtype.name, t.shape.sizes) for t in op.outputs]
        told = repr((op.type, op.name, [t.name for t in op.inputs], outputs, attrs))
        return _hash([told.encode(), *others, *arrays])


def _depends_on(op: Operation) -> list[Operation]:
    found = [t.op for t in op.inputs]
    if op.type == "VJP":
        found.append(op.graph.get_operation_by_name(op._attrs["forward"]))
    for body in bodies_of(op):
        found += body._operations
    return found


def _plain(value: Any, arrays: list[bytes]) -> Any:
    """An attribute's value as something whose `repr` tells it from others; the contents of arrays go into `arrays`.

    Raises:
        TypeError: If it is something of which it is not known when it changes.
    """
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return value
    if isinstance(value, (DType, TensorShape, Dimension, np.dtype)):
        return type(value).__name__, str(value)
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype == object:
            return "array", value.shape, [_plain(item, arrays) for item in value.ravel().tolist()]
        arrays.append(value.tobytes())
        return "array", value.shape, str(value.dtype)
    if isinstance(value, (list, tuple)):
        return [_plain(item, arrays) for item in value]
    if isinstance(value, dict):
        return "dict", [_plain(item, arrays) for item in sorted(value.items())]
    if isinstance(value, FuncGraph):  # its operations are among those depended on
        tensors = (value.inputs, value.outputs, value.arguments, value.captured)
        return "body", [[t.name for t in some] for some in tensors]
    raise TypeError(f"a {type(value).__name__} in an attribute")


def _hash(parts: Iterable[bytes]) -> bytes:
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, "little"))
        found.update(part)
    return found.digest()


@cache
def _sources() -> bytes:
    """A number for this library's source files."""
    root = os.path.dirname(os.path.dirname(__file__))
    paths = sorted(os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)
    files = [path for path in paths if path.endswith(".py")]
    return repr([(path[len(root) :], (s := os.stat(path)).st_size, s.st_mtime_ns) for path in files]).encode()


@cache
def _machine() -> bytes:
    """What the processor is and can do, for which code is made."""
    described: set[str] = set()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        described = {line for line in lines if line.startswith(("flags", "Features", "model name", "CPU part"))}
    return repr((platform.machine(), platform.processor(), os.cpu_count(), sorted(described))).encode()


def _surroundings(device: jax.Device) -> bytes:
    """A number for everything that an executable depends on besides its segment."""
    backend = (device.platform, device.device_kind, device.client.platform_version, device.id, jax.device_count())
    versions = (sys.version_info[:3], jax.__version__, jaxlib.version.__version__, np.__version__)
    flags = [(name, value) for name, value in sorted(os.environ.items()) if name.startswith(("XLA_", "LIBTPU_"))]
    settings = sorted((str(name), repr(value)) for name, value in jax.config.values.items())
    scoped = [str(getattr(jax.config, name)) for name in _SCOPED]
    return _hash([_sources(), _machine(), repr((backend, versions, flags, settings, scoped)).encode()])


def _give_back_memory() -> None:
    """Gives memory that is free back to the system, which the C library does not do by itself.

    A compilation takes some 100 MB for a while; they would stay, and what the steps need come on top of them.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library than GNU's
        return None
    return trim


# -- files ------------------------------------------------------------------------------------------------------------


def default_folder() -> Path | None:
    """Where executables are kept; None if they are not to be."""
    if not jax.config.values["jax_enable_compilation_cache"]:
        return None
    chosen = jax.config.values["jax_compilation_cache_dir"]
    if chosen:
        return Path(chosen) / "monitored"
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(base) / "monitored"
    return folder if os.path.isabs(base) and _is_mine(folder) else None


def _is_mine(folder: Path) -> bool:
    """Whether nobody else can put anything into a folder that is there."""
    try:
        found = folder.stat()
    except OSError:
        return True
    others_write = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not others_write)


def _keep(path: Path, executable: Any) -> None:
    """Writes an executable to a file; what cannot be kept is made anew next time."""
    try:
        content = pickle.dumps(serialize_executable.serialize(executable))
    except Exception as error:  # not every backend can
        _log.debug("The executable %s is not kept: %r", path, error)
        return
    _write(path, hashlib.sha256(content).digest() + content)


def _write(path: Path, content: bytes) -> None:
    """Replaces a file whole, if that can be done."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        _make_room(path.parent)
    except OSError as error:
        _log.debug("%s is not kept: %r", path, error)


def _make_room(folder: Path) -> None:
    files = [(entry.stat(), entry.path) for entry in os.scandir(folder) if entry.is_file()]
    excess = sum(found.st_size for found, _ in files) - _LARGEST
    for found, path in sorted(files, key=lambda file: file[0].st_mtime):
        if excess <= 0:
            return
        with contextlib.suppress(OSError):
            os.remove(path)
        excess -= found.st_size
