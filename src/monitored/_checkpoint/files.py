"""Files that are either wholly there or not there at all.

A new file is written under a temporary name beside its final one (*staged*), flushed to the disk, and then
renamed into place (*published*). Whatever fails, and whenever, what was published before can be read.
Every OSError leaves this room as the member of TensorFlow's error tree that TensorFlow raises for it.
"""

import contextlib
import errno
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from monitored import errors

# The classes that TensorFlow's file systems raise.
_ERRORS: Final[dict[int | None, Callable[[None, None, str], errors.OpError]]] = {
    errno.ENOENT: errors.NotFoundError,
    errno.EACCES: errors.PermissionDeniedError,
    errno.EPERM: errors.PermissionDeniedError,
    errno.EROFS: errors.PermissionDeniedError,
    errno.EEXIST: errors.AlreadyExistsError,
    errno.EINVAL: errors.InvalidArgumentError,
    errno.ENAMETOOLONG: errors.InvalidArgumentError,
    errno.EISDIR: errors.FailedPreconditionError,
    errno.ENOTDIR: errors.FailedPreconditionError,
    errno.ENOTEMPTY: errors.FailedPreconditionError,
    errno.EDQUOT: errors.ResourceExhaustedError,
    errno.EFBIG: errors.ResourceExhaustedError,  # TensorFlow: OutOfRangeError, which would end a session quietly
    errno.EMFILE: errors.ResourceExhaustedError,
    errno.ENFILE: errors.ResourceExhaustedError,
    errno.ENOMEM: errors.ResourceExhaustedError,
    errno.ENOSPC: errors.ResourceExhaustedError,
}

TEMPORARY: Final = ".tempstate"  # in the names of files that are not finished, and in no others

# A directory on a file system that cannot flush one (some network mounts) answers with these.
_CANNOT_FLUSH: Final = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)


@contextlib.contextmanager
def os_errors_as_tf(path: str) -> Iterator[None]:
    """Raises the OSErrors of its block as members of TensorFlow's error tree.

    Args:
        path: The file that the block works on, to be named in the message.

    Yields:
        Nothing.

    Raises:
        OpError: The subclass that TensorFlow raises for the OSError's errno.
    """
    try:
        yield
    except OSError as error:
        kind = _ERRORS.get(error.errno, errors.UnknownError)
        raise kind(None, None, f"{path}; {error.strerror or error}") from error


def temporary_name(path: str) -> str:
    """Makes a name for a file that is to become, or was, another one.

    Args:
        path: The other file.

    Returns:
        A path in the same directory that no file has. No pattern of a checkpoint's files matches it.
    """
    return f"{path}{TEMPORARY}{uuid.uuid4().hex}"


def publish(staged: Sequence[tuple[str, str]]) -> None:
    """Renames staged files into place; the last one, which makes the others count, when those are on the disk.

    Args:
        staged: (temporary name, final name) of each file, all in one directory. They must be on the disk. Only the
            last one may replace a file that counts.

    Raises:
        OSError: A rename or the directory's flush failed. Unless the last file had already replaced another one, all
            of them have their temporary names again.
    """
    last = staged[-1][1]
    directory = os.path.dirname(last)
    replaced = os.path.lexists(last)
    done: list[tuple[str, str]] = []
    try:
        for source, target in staged:
            if target == last and replaced:  # from the next line on, what it named before counts no more
                flush_directory(directory)
            os.replace(source, target)
            done.append((source, target))
        flush_directory(directory)
    except BaseException:
        if not (replaced and len(done) == len(staged)):
            for source, target in reversed(done):
                with contextlib.suppress(OSError):
                    os.replace(target, source)
        raise


def discard(paths: Iterable[str]) -> None:
    """Removes files, as far as they are there and can be removed.

    Args:
        paths: The files.
    """
    for path in paths:
        with contextlib.suppress(OSError):
            os.remove(path)


def flush_directory(directory: str) -> None:
    """Flushes the names in a directory to the disk, so that renames survive a loss of power.

    Args:
        directory: The directory; empty for the current one.

    Raises:
        OSError: The disk reported an error.
    """
    if os.name == "nt":  # a directory cannot be opened there
        return
    descriptor = os.open(directory or ".", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH:
            raise
    finally:
        os.close(descriptor)


def replace_file(path: str, content: bytes) -> None:
    """Writes a file whole: a reader sees the old content or the new, also after a loss of power.

    Args:
        path: The file.
        content: All of its bytes.

    Raises:
        OpError: It could not be written; the old content is still there.
    """
    temporary = temporary_name(path)
    with os_errors_as_tf(path):
        try:
            with open(temporary, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            flush_directory(os.path.dirname(path))
        finally:
            discard([temporary])
