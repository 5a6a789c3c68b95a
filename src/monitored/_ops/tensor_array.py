"""`TensorArray`: an array of tensors, written and read one element at a time, mostly in loops."""

from __future__ import annotations

from typing import Any

from monitored._graph import dtypes
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.operation import Operation, Tensor
from monitored._graph.shapes import TensorShape, as_shape
from monitored._ops import rules
from monitored._ops import tensor_array_ops as _ops  # noqa: F401  # the op types
from monitored._ops.array import identity
from monitored._ops.array import shape as shape_of
from monitored._ops.casts import cast
from monitored._ops.sequences import range

__all__ = ["TensorArray"]


class _Known:
    """What is known of the elements of one array, shared by all objects that stand for it."""

    __slots__ = ("shape",)

    def __init__(self, shape: TensorShape) -> None:
        self.shape = shape


class TensorArray:
    """An array of tensors of one type and shape.

    It is made for loops: as a loop variable of `while_loop` it is written (or read) turn by turn::

        array = tf.TensorArray(tf.float32, size=10)
        _, array = tf.while_loop(lambda i, _: i < 10, lambda i, a: (i + 1, a.write(i, x * i)), [0, array])
        stacked = array.stack()

    A method that changes the array returns a new object for what it then is; the old one is to be used no more.
    Elements that were not written read as zeros. Gradients pass through all methods. Where the index of a write is
    known before the step runs, or counts turns of a loop whose number is known, it is checked against the size, and an
    array of `dynamic_size` grows on the device; otherwise a growing array is kept on the host.
    """

    def __init__(
        self,
        dtype: Any,
        size: Any = None,
        dynamic_size: bool | None = None,
        clear_after_read: bool | None = None,
        tensor_array_name: str | None = None,
        handle: Tensor | None = None,
        flow: Tensor | None = None,
        infer_shape: bool = True,
        element_shape: Any = None,
        colocate_with_first_write_call: bool = True,
        name: str | None = None,
    ) -> None:
        """Creates an array.

        Args:
            dtype: The type of the elements.
            size: The number of elements: an integer or an int32 scalar.
            dynamic_size: Whether a write beyond the size makes the array grow.
            clear_after_read: Accepted as TensorFlow does; an element can be read any number of times.
            tensor_array_name: A name that TensorFlow's error messages use.
            handle: The handle of an existing array, in place of `size`; see the property.
            flow: Its flow.
            infer_shape: Whether a write tells the shape of all elements.
            element_shape: The shape of the elements.
            colocate_with_first_write_call: Accepted as TensorFlow does; XLA places the work.
            name: A name for the operation (optional; `TensorArray` by default).

        Raises:
            ValueError: If not exactly one of `size` and `handle` is given, or `handle` without its flow, or with what
                belongs to a new array.
            TypeError: If `handle` is no tensor.
        """
        if handle is not None and tensor_array_name:
            raise ValueError("Cannot construct with both handle and tensor_array_name")
        if handle is not None and not isinstance(handle, Tensor):
            raise TypeError("Handle must be a Tensor")
        if handle is None and size is None:
            raise ValueError("Size must be provided if handle is not provided")
        for label, value in {"size": size, "dynamic_size": dynamic_size, "clear_after_read": clear_after_read}.items():
            if handle is not None and value is not None:
                raise ValueError(f"Cannot provide both a handle and {label} at the same time")
        if handle is not None and flow is None:
            raise ValueError("A handle needs the flow beside it")
        self._dtype = dtypes.as_dtype(dtype).base_dtype
        self._infer_shape = infer_shape or element_shape is not None
        self._known = _Known(as_shape(element_shape))
        self._dynamic_size = bool(dynamic_size)
        if handle is not None and flow is not None:
            self._handle, self._flow = handle, flow
            return
        self._handle, self._flow = apply(
            "TensorArrayV3",
            size,
            name=name or "TensorArray",
            dtype=self._dtype,
            element_shape=self._known.shape,
            dynamic_size=self._dynamic_size,
            clear_after_read=clear_after_read is not False,
            identical_element_shapes=bool(infer_shape),
            tensor_array_name=tensor_array_name or "",
        )

    # -- what it is -----------------------------------------------------------------------------------------

    @property
    def flow(self) -> Tensor:
        """The tensor that stands for the array as it is now: its elements, stacked."""
        return self._flow

    @property
    def handle(self) -> Tensor:
        """The tensor that tells which array this is."""
        return self._handle

    @property
    def dtype(self) -> dtypes.DType:
        """The type of the elements."""
        return self._dtype

    @property
    def dynamic_size(self) -> bool:
        """Whether a write beyond the size makes the array grow."""
        return self._dynamic_size

    @property
    def element_shape(self) -> TensorShape:
        """What is known of the shape of the elements."""
        return self._known.shape

    def size(self, name: str | None = None) -> Tensor:
        """The number of elements.

        Args:
            name: A name for the operation (optional).

        Returns:
            An int32 scalar.
        """
        result: Tensor = apply("TensorArraySizeV3", self._handle, self._flow, name=name)
        return result

    def identity(self) -> TensorArray:
        """The same array, whose flow waits for what `control_dependencies` around say.

        Returns:
            A `TensorArray`.
        """
        return self._with_parts([identity(self._flow)])

    def close(self, name: str | None = None) -> Operation:
        """An operation that does nothing: the elements live no longer than what uses them.

        Args:
            name: A name for the operation (optional).

        Returns:
            The operation.
        """
        op: Operation = apply("TensorArrayCloseV3", self._handle, name=name)
        return op

    # -- one element ----------------------------------------------------------------------------------------

    def read(self, index: Any, name: str | None = None) -> Tensor:
        """The element at an index.

        Args:
            index: An int32 scalar.
            name: A name for the operation (optional).

        Returns:
            A tensor.
        """
        value: Tensor = apply("TensorArrayReadV3", self._handle, index, self._flow, name=name)
        value.set_shape(self._known.shape)
        return value

    def write(self, index: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with an element replaced.

        Args:
            index: An int32 scalar.
            value: The element.
            name: A name scope for the operations (optional).

        Returns:
            A `TensorArray`, to be used from here on.

        Raises:
            ValueError: If the element has another shape than those before.
            TypeError: If it has another type than the array.
        """
        with rules.scope(name, "TensorArrayWrite", self._handle, value):
            value = convert_to_tensor(value, preferred_dtype=self._dtype, name="value")
            flow = apply("TensorArrayWriteV3", self._handle, index, value, self._flow)
        return self._changed(flow, value.shape)

    # -- many elements --------------------------------------------------------------------------------------

    def stack(self, name: str | None = None) -> Tensor:
        """All elements, stacked along a new first axis.

        Args:
            name: A name scope for the operations (optional).

        Returns:
            A tensor of shape ``[size, *element_shape]``.
        """
        with rules.scope(name, "TensorArrayStack", self._handle):
            return self.gather(range(0, self.size()))

    def gather(self, indices: Any, name: str | None = None) -> Tensor:
        """Some elements, stacked along a new first axis.

        Args:
            indices: A vector of int32.
            name: A name for the operation (optional).

        Returns:
            A tensor of shape ``[len(indices), *element_shape]``.
        """
        value: Tensor = apply(
            "TensorArrayGatherV3", self._handle, indices, self._flow, name=name, element_shape=self._known.shape
        )
        return value

    def concat(self, name: str | None = None) -> Tensor:
        """All elements, joined along their first axis.

        Args:
            name: A name for the operation (optional).

        Returns:
            A tensor.
        """
        rest = self._known.shape[1:] if self._known.shape.ndims else TensorShape(None)
        value, _ = apply("TensorArrayConcatV3", self._handle, self._flow, name=name, element_shape_except0=rest)
        result: Tensor = value
        return result

    def unstack(self, value: Any, name: str | None = None) -> TensorArray:
        """The array whose first elements are the rows of a tensor.

        Args:
            value: A tensor of at least rank 1.
            name: A name scope for the operations (optional).

        Returns:
            A `TensorArray`, to be used from here on.

        Raises:
            ValueError: If the rows have another shape than the elements.
            TypeError: If `value` has another type than the array.
        """
        with rules.scope(name, "TensorArrayUnstack", self._handle, value):
            count = shape_of(value if isinstance(value, Tensor) else convert_to_tensor(value, name="Shape/Const"))[0]
            return self.scatter(range(0, count), value)

    def scatter(self, indices: Any, value: Any, name: str | None = None) -> TensorArray:
        """The array with some elements replaced by the rows of a tensor.

        Args:
            indices: A vector of int32.
            value: A tensor with a row for each index.
            name: A name scope for the operations (optional).

        Returns:
            A `TensorArray`, to be used from here on.

        Raises:
            ValueError: If the rows have another shape than the elements.
            TypeError: If `value` has another type than the array.
        """
        with rules.scope(name, "TensorArrayScatter", self._handle, value, indices):
            value = convert_to_tensor(value, preferred_dtype=self._dtype, name="value")
            flow = apply("TensorArrayScatterV3", self._handle, indices, value, self._flow)
        return self._changed(flow, value.shape[1:] if value.shape.ndims else TensorShape(None))

    def split(self, value: Any, lengths: Any, name: str | None = None) -> TensorArray:
        """The array whose elements are equal parts of a tensor along its first axis.

        Args:
            value: A tensor of at least rank 1.
            lengths: A vector with the length of each part, all the same.
            name: A name scope for the operations (optional).

        Returns:
            A `TensorArray`, to be used from here on.

        Raises:
            ValueError: If the parts have another shape than the elements.
            TypeError: If `value` has another type than the array.
        """
        with rules.scope(name, "TensorArraySplit", self._handle, value, lengths):
            value = convert_to_tensor(value, preferred_dtype=self._dtype, name="value")
            lengths = cast(lengths, dtypes.int64)
            flow = apply("TensorArraySplitV3", self._handle, value, lengths, self._flow)
        rest = value.shape[1:] if value.shape.ndims else None
        return self._changed(flow, TensorShape(None) if rest is None else TensorShape([None]).concatenate(rest))

    # -- as a structure of tensors --------------------------------------------------------------------------

    def _changed(self, flow: Tensor, shape: TensorShape) -> TensorArray:
        if self._infer_shape:
            if not self._known.shape.is_compatible_with(shape):
                raise ValueError(f"Inconsistent shapes: saw {shape} but expected {self._known.shape}")
            self._known.shape = self._known.shape.merge_with(shape)
        return self._with_parts([flow])

    def _flatten_parts(self) -> list[Tensor]:
        return [self._flow]

    def _with_parts(self, parts: list[Tensor]) -> TensorArray:
        new = TensorArray.__new__(type(self))
        new.__dict__.update(self.__dict__)
        new._flow = parts[0]
        return new
