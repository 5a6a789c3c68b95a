"""Summaries: values as records for TensorBoard.

Each function adds an operation whose value is a serialized `Summary` protocol buffer, for `FileWriter.add_summary`,
and puts it into a collection, so that `merge_all` can gather them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from monitored._graph import dtypes
from monitored._graph.build import apply, convert_to_tensor
from monitored._graph.collections import GraphKeys
from monitored._graph.graph import get_default_graph
from monitored._graph.opdef import lookup
from monitored._graph.operation import Tensor
from monitored._ops import summary_ops as summary_ops  # defines the operations
from monitored._ops.rules import scope

__all__ = ["audio", "histogram", "image", "merge", "merge_all", "scalar", "tensor_summary", "text"]

_ILLEGAL: Final = re.compile(r"[^-/\w.]")
_REAL: Final = (
    dtypes.float32, dtypes.float64, dtypes.int32, dtypes.uint8, dtypes.int16, dtypes.int8, dtypes.int64,
    dtypes.bfloat16, dtypes.uint16, dtypes.float16, dtypes.uint32, dtypes.uint64,
)  # fmt: skip
_IMAGE: Final = (dtypes.uint8, dtypes.float32, dtypes.float16, dtypes.float64)
_log = logging.getLogger("monitored")


def _clean(name: str) -> str:
    """A summary's name without the characters that a tag cannot have."""
    legal = _ILLEGAL.sub("_", name).lstrip("/")
    if legal != name:
        _log.info("Summary name %s is illegal; using %s instead.", name, legal)
    return legal


@contextmanager
def _tag_scope(name: str | None, family: str | None, default: str, values: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """The tag of a summary (prefixed by its family, so that TensorBoard groups it), and its scope."""
    name = None if name is None else _clean(name)
    family = None if family is None else _clean(family)
    base = name if family is None else f"{family}/{name or default}"
    with scope(base, default, *values) as full:
        tag = full.rstrip("/")
        yield (tag if family is None else f"{family}/{tag}"), full


def _collect(tensor: Tensor, collections: Sequence[str] | None) -> Tensor:
    graph = get_default_graph()
    graph.add_to_collections([GraphKeys.SUMMARIES] if collections is None else collections, tensor)
    return tensor


def _checked(op_type: str, value: Any, label: str, allowed: Sequence[dtypes.DType]) -> Tensor:
    # As in TensorFlow, arrays and numbers become what the type attribute has by default, if it has a default.
    tensor = convert_to_tensor(value, name=label, preferred_dtype=lookup(op_type).attrs.get("T"))
    if tensor.dtype.base_dtype not in allowed:
        names = ", ".join(dtype.name for dtype in allowed)
        raise TypeError(
            f"Value passed to parameter '{label}' has DataType {tensor.dtype.base_dtype.name} not in list of allowed "
            f"values: {names}"
        )
    return tensor


def _add(
    op_type: str, name: str, family: str | None, collections: Sequence[str] | None, value: Any, label: str,
    allowed: Sequence[dtypes.DType], *more: Any, **attrs: Any,
) -> Tensor:  # fmt: skip
    if name is None or name == "":
        raise ValueError(f"A summary needs a name: {name!r} is not a valid node name")
    with _tag_scope(name, family, op_type, [value]) as (tag, full):
        tag_tensor = convert_to_tensor(tag, name=lookup(op_type).inputs[0].name)
        tensor = _checked(op_type, value, label, allowed)
        return _collect(apply(op_type, tag_tensor, tensor, *more, name=full, **attrs), collections)


def scalar(name: str, tensor: Any, collections: Sequence[str] | None = None, family: str | None = None) -> Tensor:
    """A summary of one number.

    Args:
        name: The name of the operation and, within its scope, the tag.
        tensor: A real scalar.
        collections: The collections to add it to; `GraphKeys.SUMMARIES` by default.
        family: A prefix of the tag, by which TensorBoard groups summaries.

    Returns:
        A string scalar: the serialized `Summary`.
    """
    return _add("ScalarSummary", name, family, collections, tensor, "values", _REAL)


def histogram(name: str, values: Any, collections: Sequence[str] | None = None, family: str | None = None) -> Tensor:
    """A summary of how the elements of a tensor are distributed.

    Args:
        name: The name of the operation and, within its scope, the tag.
        values: A real tensor of any shape. Running it raises `errors.InvalidArgumentError` when an element is not
            finite.
        collections: The collections to add it to; `GraphKeys.SUMMARIES` by default.
        family: A prefix of the tag, by which TensorBoard groups summaries.

    Returns:
        A string scalar: the serialized `Summary`.
    """
    return _add("HistogramSummary", name, family, collections, values, "values", _REAL)


def image(
    name: str, tensor: Any, max_outputs: int = 3, collections: Sequence[str] | None = None, family: str | None = None
) -> Tensor:
    """A summary of images.

    Args:
        name: The name of the operation; the tags are ``name/image/0`` and so on.
        tensor: ``[batch, height, width, channels]`` of 1 (grey), 3 (RGB) or 4 (RGBA) channels. uint8 is taken as it
            is; floating point values are scaled for each image, so that the largest is 255 and 0 is 0, or 128
            where there are negative ones.
        max_outputs: How many images of the batch to keep, 1 or more.
        collections: The collections to add it to; `GraphKeys.SUMMARIES` by default.
        family: A prefix of the tag, by which TensorBoard groups summaries.

    Returns:
        A string scalar: the serialized `Summary`.

    Raises:
        ValueError: If `max_outputs` is less than 1.
    """
    if max_outputs < 1:
        raise ValueError(f"Attr 'max_images' of 'ImageSummary' Op passed {max_outputs} less than minimum 1.")
    return _add("ImageSummary", name, family, collections, tensor, "tensor", _IMAGE, max_images=max_outputs)


def audio(
    name: str, tensor: Any, sample_rate: Any, max_outputs: int = 3, collections: Sequence[str] | None = None,
    family: str | None = None,
) -> Tensor:  # fmt: skip
    """A summary of sound.

    Args:
        name: The name of the operation; the tags are ``name/audio/0`` and so on.
        tensor: float32 ``[batch, frames, channels]`` or ``[batch, frames]``, from -1 to 1.
        sample_rate: Frames per second, a float32 scalar.
        max_outputs: How many sounds of the batch to keep, 1 or more.
        collections: The collections to add it to; `GraphKeys.SUMMARIES` by default.
        family: A prefix of the tag, by which TensorBoard groups summaries.

    Returns:
        A string scalar: the serialized `Summary`.
    """
    rate = convert_to_tensor(sample_rate, dtypes.float32, name="sample_rate")
    return _add(
        "AudioSummaryV2", name, family, collections, tensor, "tensor", (dtypes.float32,), rate, max_outputs=max_outputs
    )


def tensor_summary(
    name: str, tensor: Any, summary_description: str | None = None, collections: Sequence[str] | None = None,
    summary_metadata: Any = None, family: str | None = None, display_name: str | None = None,
) -> Tensor:  # fmt: skip
    """A summary that holds a tensor whole, for a plugin of TensorBoard.

    Args:
        name: The name of the operation and, within its scope, the tag.
        tensor: A tensor of any type and shape.
        summary_description: A text, in Markdown, that TensorBoard shows.
        collections: The collections to add it to; `GraphKeys.SUMMARIES` by default.
        summary_metadata: A `SummaryMetadata` protocol buffer, which names the plugin.
        family: A prefix of the tag, by which TensorBoard groups summaries.
        display_name: The name that TensorBoard shows.

    Returns:
        A string scalar: the serialized `Summary`.
    """
    from tensorboard.compat.proto import summary_pb2

    metadata = summary_pb2.SummaryMetadata()
    if summary_metadata is not None:
        metadata.CopyFrom(summary_metadata)
    if display_name is not None:
        metadata.display_name = display_name
    if summary_description is not None:
        metadata.summary_description = summary_description
    with _tag_scope(name, family, "TensorSummaryV2", [tensor]) as (tag, full):
        result = apply("TensorSummaryV2", tag, tensor, metadata.SerializeToString(), name=full)
        return _collect(result, collections)


def text(name: str, tensor: Any, collections: Sequence[str] | None = None) -> Tensor:
    """A summary of text, which TensorBoard shows as Markdown, and tensors of strings as tables.

    Args:
        name: The name of the operation and, within its scope, the tag.
        tensor: A string tensor.
        collections: The collections to add it to; `GraphKeys.SUMMARIES` by default.

    Returns:
        A string scalar: the serialized `Summary`.

    Raises:
        ValueError: If the tensor is not of strings.
    """
    from tensorboard.compat.proto import summary_pb2

    tensor = convert_to_tensor(tensor)
    if tensor.dtype.base_dtype != dtypes.string:
        raise ValueError(f"Expected tensor {tensor.name} to have dtype string, got {tensor.dtype}")
    plugin = summary_pb2.SummaryMetadata.PluginData(plugin_name="text")
    metadata = summary_pb2.SummaryMetadata(plugin_data=plugin)
    return tensor_summary(name, tensor, collections=collections, summary_metadata=metadata)


def merge(inputs: Sequence[Any], collections: Sequence[str] | None = None, name: str | None = None) -> Tensor:
    """One summary out of several.

    Args:
        inputs: String tensors of serialized `Summary` protocol buffers. Running it raises
            `errors.InvalidArgumentError` when two of them have a tag in common.
        collections: The collections to add it to; none by default.
        name: A name for the operation.

    Returns:
        A string scalar: the serialized `Summary`.

    Raises:
        ValueError: If there are no inputs.
    """
    summaries = list(inputs)
    if not summaries:
        raise ValueError("List argument 'inputs' to 'MergeSummary' Op with length 0 shorter than minimum length 1.")
    with scope(name, "Merge", *summaries):
        return _collect(apply("MergeSummary", summaries, name=name), collections or [])


def merge_all(key: str = GraphKeys.SUMMARIES, scope: str | None = None, name: str | None = None) -> Tensor | None:
    """One summary out of all in a collection.

    Args:
        key: The collection.
        scope: A regular expression: only summaries whose names it matches at the start.
        name: A name for the operation.

    Returns:
        A string scalar: the serialized `Summary`; None when there are none.
    """
    summaries = get_default_graph().get_collection(key, scope=scope)
    return merge(summaries, name=name) if summaries else None
