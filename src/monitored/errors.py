"""The error tree: one class for each status code, as in ``tf.errors``.

Every error says which op it came from, when there is one, and where in the user's file that op
was created::

    InvalidArgumentError: Matrix size-incompatible: In[0]: [16,8], In[1]: [4,1]
             [[node dense/MatMul (defined at train.py:12 in build)]]

The op is anything with a ``name``; its ``creation_site`` and ``node_def`` are used when it has them. So
this module needs nothing else of the project, and every room may raise these errors.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, Final, Protocol

__all__ = [
    "ABORTED",
    "ALREADY_EXISTS",
    "CANCELLED",
    "DATA_LOSS",
    "DEADLINE_EXCEEDED",
    "FAILED_PRECONDITION",
    "INTERNAL",
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "OK",
    "OUT_OF_RANGE",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "UNAUTHENTICATED",
    "UNAVAILABLE",
    "UNIMPLEMENTED",
    "UNKNOWN",
    "AbortedError",
    "AlreadyExistsError",
    "CancelledError",
    "DataLossError",
    "DeadlineExceededError",
    "FailedPreconditionError",
    "InternalError",
    "InvalidArgumentError",
    "NotFoundError",
    "OpError",
    "OutOfRangeError",
    "PermissionDeniedError",
    "ResourceExhaustedError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "UnknownError",
    "error_code_from_exception_type",
    "exception_type_from_error_code",
]

# The canonical status codes (google/rpc/code.proto), which TensorFlow uses too.
OK: Final = 0
CANCELLED: Final = 1
UNKNOWN: Final = 2
INVALID_ARGUMENT: Final = 3
DEADLINE_EXCEEDED: Final = 4
NOT_FOUND: Final = 5
ALREADY_EXISTS: Final = 6
PERMISSION_DENIED: Final = 7
RESOURCE_EXHAUSTED: Final = 8
FAILED_PRECONDITION: Final = 9
ABORTED: Final = 10
OUT_OF_RANGE: Final = 11
UNIMPLEMENTED: Final = 12
INTERNAL: Final = 13
UNAVAILABLE: Final = 14
DATA_LOSS: Final = 15
UNAUTHENTICATED: Final = 16


class FailedOp(Protocol):
    """What an error needs to know about the op that failed."""

    @property
    def name(self) -> str:
        """The op's unique name in its graph."""


class OpError(Exception):
    """The root of the tree: an op failed, or a request could not be carried out.

    Catch a subclass to handle one kind of failure, or this class for all of them.
    """

    def __init__(self, node_def: Any, op: FailedOp | None, message: str, error_code: int) -> None:
        """Creates an error.

        Args:
            node_def: The op's NodeDef, or None to take it from ``op`` when it is asked for.
            op: The operation that failed, or None where no single op is to blame.
            message: What is wrong.
            error_code: One of this module's codes.
        """
        super().__init__(message)
        self._node_def = node_def
        self._op = op
        self._message = message
        self._error_code = error_code

    @property
    def message(self) -> str:
        """What is wrong, without the op and its creation site."""
        return self._message

    @property
    def op(self) -> Any:
        """The operation that failed, or None.

        In an error that was pickled and read back it is a record with the op's ``name``, ``type`` and
        ``creation_site``: an operation lives in its graph, and the graph stays behind.
        """
        return self._op

    @property
    def error_code(self) -> int:
        """The code of this kind of error, such as `NOT_FOUND`."""
        return self._error_code

    @property
    def node_def(self) -> Any:
        """The NodeDef of the operation that failed, or None."""
        if self._node_def is None:
            return getattr(self._op, "node_def", None)
        return self._node_def

    def __str__(self) -> str:
        """The message, then the op's name and where the user's code created it."""
        if self._op is None:
            return str(self._message)
        site = getattr(self._op, "creation_site", None)
        defined = f" (defined at {site})" if site else ""
        return f"{self._message}\n\t [[node {self._op.name}{defined}]]"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles without the graph, so that an error can leave its process (as in pytest-xdist)."""
        state = dict(self.__dict__)
        if self._op is not None:
            kept = {key: getattr(self._op, key, None) for key in ("name", "type", "creation_site")}
            state["_op"] = SimpleNamespace(**kept)
        # `__new__` rather than the class: a subclass may take other arguments than its base.
        return type(self).__new__, (type(self), *self.args), state


class CancelledError(OpError):
    """The operation was cancelled, as a blocked queue op is when its queue or session is closed."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str) -> None:
        super().__init__(node_def, op, message, CANCELLED)


class UnknownError(OpError):
    """A failure that is none of the other kinds, as an exception raised inside a Python function op."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str, error_code: int = UNKNOWN) -> None:
        super().__init__(node_def, op, message, error_code)


class InvalidArgumentError(OpError):
    """An argument can never be right: a shape, a dtype, a value or a name that does not fit."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str) -> None:
        super().__init__(node_def, op, message, INVALID_ARGUMENT)


class DeadlineExceededError(OpError):
    """The time allowed for the operation passed before it was done."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str) -> None:
        super().__init__(node_def, op, message, DEADLINE_EXCEEDED)


class NotFoundError(OpError):
    """A file, directory or checkpoint key that was asked for does not exist."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str) -> None:
        super().__init__(node_def, op, message, NOT_FOUND)


class AlreadyExistsError(OpError):
    """What was to be created exists already."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str) -> None:
        super().__init__(node_def, op, message, ALREADY_EXISTS)


class PermissionDeniedError(OpError):
    """The caller may not do this, as reading a file without the right to."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str) -> None:
        super().__init__(node_def, op, message, PERMISSION_DENIED)


class UnauthenticatedError(OpError):
    """The request carries no valid credentials."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str) -> None:
        super().__init__(node_def, op, message, UNAUTHENTICATED)


class ResourceExhaustedError(OpError):
    """Something ran out: memory, disk space or a quota."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str) -> None:
        super().__init__(node_def, op, message, RESOURCE_EXHAUSTED)


class FailedPreconditionError(OpError):
    """The system is not in the state that the operation needs, as a variable read before its initializer."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str) -> None:
        super().__init__(node_def, op, message, FAILED_PRECONDITION)


class AbortedError(OpError):
    """The operation was aborted and may be tried again, as an enqueue to a queue that closes meanwhile."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str) -> None:
        super().__init__(node_def, op, message, ABORTED)


class OutOfRangeError(OpError):
    """The end of the input: a queue that is closed and empty, an iterator or a reader that is done."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str) -> None:
        super().__init__(node_def, op, message, OUT_OF_RANGE)


class UnimplementedError(OpError):
    """The operation is not supported, or not for these arguments."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str) -> None:
        super().__init__(node_def, op, message, UNIMPLEMENTED)


class InternalError(OpError):
    """An invariant of the runtime is broken: a defect of the runtime, not of the caller."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str) -> None:
        super().__init__(node_def, op, message, INTERNAL)


class UnavailableError(OpError):
    """The runtime cannot be reached at present; the same request may work later."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str) -> None:
        super().__init__(node_def, op, message, UNAVAILABLE)


class DataLossError(OpError):
    """Data is lost or damaged beyond repair, as a truncated file or one whose checksum is wrong."""

    def __init__(self, node_def: Any, op: FailedOp | None, message: str) -> None:
        super().__init__(node_def, op, message, DATA_LOSS)


_CODE_TO_TYPE: Final[dict[int, type[OpError]]] = {
    CANCELLED: CancelledError,
    UNKNOWN: UnknownError,
    INVALID_ARGUMENT: InvalidArgumentError,
    DEADLINE_EXCEEDED: DeadlineExceededError,
    NOT_FOUND: NotFoundError,
    ALREADY_EXISTS: AlreadyExistsError,
    PERMISSION_DENIED: PermissionDeniedError,
    RESOURCE_EXHAUSTED: ResourceExhaustedError,
    FAILED_PRECONDITION: FailedPreconditionError,
    ABORTED: AbortedError,
    OUT_OF_RANGE: OutOfRangeError,
    UNIMPLEMENTED: UnimplementedError,
    INTERNAL: InternalError,
    UNAVAILABLE: UnavailableError,
    DATA_LOSS: DataLossError,
    UNAUTHENTICATED: UnauthenticatedError,
}
_TYPE_TO_CODE: Final = {error_type: code for code, error_type in _CODE_TO_TYPE.items()}


def exception_type_from_error_code(error_code: int) -> type[OpError]:
    """Returns the exception class of a status code.

    Args:
        error_code: One of this module's codes, except `OK`.

    Raises:
        KeyError: No class has this code.
    """
    return _CODE_TO_TYPE[error_code]


def error_code_from_exception_type(cls: type[BaseException]) -> int:
    """Returns the status code of an exception class, or of the nearest of its bases that has one.

    Args:
        cls: An exception class.

    Returns:
        The code; `UNKNOWN` for a class outside the tree. (TensorFlow returns an `UnknownError` there,
        which no caller can compare with a code.)
    """
    return next((_TYPE_TO_CODE[base] for base in cls.__mro__ if base in _TYPE_TO_CODE), UNKNOWN)
