"""What the readers of both checkpoint formats have in common."""

import abc
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from monitored import errors
from monitored._checkpoint.bundle import Array


class TensorReader(abc.ABC):
    """Reads the tensors of a checkpoint. Every value is checked against its checksum before it is returned."""

    @abc.abstractmethod
    def keys(self) -> list[str]:
        """Lists the tensors' names.

        Returns:
            The names, in the order of their bytes.
        """

    @abc.abstractmethod
    def has(self, name: str) -> bool:
        """Tells whether the checkpoint holds a tensor.

        Args:
            name: The tensor's name.

        Returns:
            True if it does.
        """

    @abc.abstractmethod
    def shape_map(self) -> dict[str, tuple[int, ...]]:
        """Gives the shape of every tensor.

        Returns:
            Name -> shape.

        Raises:
            DataLossError: What says so is damaged.
        """

    @abc.abstractmethod
    def dtype_map(self) -> dict[str, np.dtype[Any]]:
        """Gives the dtype of every tensor.

        Returns:
            Name -> dtype: object for strings, void for what cannot be read (resources and variants).

        Raises:
            DataLossError: What says so is damaged.
        """

    @abc.abstractmethod
    def read(self, name: str, memory: Array | None = None) -> Array:
        """Reads a tensor; one that was saved in parts is put together.

        Args:
            name: The tensor's name.
            memory: An array of uint8 that the value may be put into, if it is large enough: memory that a process has
                used before is several times as fast as new one.

        Returns:
            The array: a new one, or one in `memory`. Strings are bytes objects in an array of dtype object;
            quantized types are the integers that they are made of.

        Raises:
            NotFoundError: The checkpoint has no such tensor, or a data file is missing.
            DataLossError: The tensor is damaged.
            UnimplementedError: It is a resource or a variant.
            OpError: The data could not be read.
        """

    def check_tree_hash(self) -> str | None:
        """Compares what the index tells of all entries with the tree hash that was written with them.

        Returns:
            The hash, 64 hexadecimal digits; None if the checkpoint has none, as TensorFlow's.

        Raises:
            DataLossError: They differ, or an entry is damaged.
        """
        return None

    def verify(self) -> list[str]:
        """Reads everything, to find out whether it can be read.

        Returns:
            What is wrong, one sentence for each damaged tensor; empty if the checkpoint is whole.

        Raises:
            PermissionDeniedError: A file may not be read, which says nothing about what is in it.
            ResourceExhaustedError: Nor does a lack of memory or of file descriptors.
        """
        problems = []
        reads: list[Callable[[], object]] = [partial(self.read, name) for name in self.keys()]
        for read in (*reads, self.check_tree_hash):
            try:
                read()
            except errors.UnimplementedError:
                continue  # it may well be whole
            except (errors.PermissionDeniedError, errors.ResourceExhaustedError):
                raise
            except errors.OpError as error:
                problems.append(error.message)
        return problems
