"""The operations that turn values into serialized `Summary` protocol buffers, on the host."""

from __future__ import annotations

import struct
import sys
import zlib
from bisect import bisect_right
from functools import cache
from typing import Any, Final

import numpy as np

from monitored import errors
from monitored._graph import infer
from monitored._graph.dtypes import float32
from monitored._graph.node_def import make_tensor_proto
from monitored._graph.opdef import define
from monitored._graph.operation import Operation

__all__ = ["encode_png", "encode_wav", "histogram_buckets"]

_ZERO: Final = 1e-6  # images whose largest value is below this are left black
_PNG_COLOR_TYPES: Final = {1: 0, 3: 2, 4: 6}  # channels -> grey, RGB, RGBA


def _proto() -> Any:
    from tensorboard.compat.proto import summary_pb2  # not at the top: it would double the time that imports take

    return summary_pb2.Summary


def _text(value: Any) -> str:
    raw: bytes = value if isinstance(value, bytes) else np.asarray(value).item()
    return raw.decode()


# -- scalars and tensors --------------------------------------------------------------------------------------


def _scalar(context: Any, op: Operation, tags: Any, values: Any) -> tuple[bytes]:
    tag_shape, value_shape = np.shape(tags), np.shape(values)
    if tag_shape != value_shape:
        tag = f" (tag '{_text(tags)}')" if tag_shape == () else ""
        shown = [str(list(shape)) for shape in (tag_shape, value_shape)]
        raise errors.InvalidArgumentError(
            None, op, f"tags and values not the same shape: {shown[0]} != {shown[1]}{tag}"
        )
    summary = _proto()()
    for tag, value in zip(np.ravel(np.asarray(tags, object)), np.ravel(values), strict=True):
        summary.value.add(tag=tag.decode(), simple_value=float(value))
    return (summary.SerializeToString(),)


def _tensor(context: Any, op: Operation, tag: Any, tensor: Any, metadata: Any) -> tuple[bytes]:
    summary = _proto()()
    value = summary.value.add(tag=_text(tag), tensor=make_tensor_proto(tensor, op.inputs[1].dtype))
    raw = metadata if isinstance(metadata, bytes) else np.asarray(metadata).item()
    value.metadata.MergeFromString(raw)
    value.metadata.SetInParent()
    return (summary.SerializeToString(),)


# -- histograms -----------------------------------------------------------------------------------------------


@cache
def _bucket_limits() -> list[float]:
    """TensorFlow's limits: ±1e-12 and on by factors of 1.1 to 1e20, zero, and the ends of the number line."""
    positive = []
    limit = 1.0e-12
    while limit < 1.0e20:
        positive.append(limit)
        limit *= 1.1
    positive.append(sys.float_info.max)
    return [-limit for limit in reversed(positive)] + [0.0] + positive


def histogram_buckets(values: np.ndarray[Any, Any]) -> tuple[list[float], list[float]]:
    """Counts values in exponentially growing buckets.

    Args:
        values: float64 values, ``[count]``.

    Returns:
        The upper limits of the buckets and the counts in them; of neighbouring empty buckets only one is kept.
    """
    limits = _bucket_limits()
    if len(values) < 32:
        places = np.array([bisect_right(limits, value) for value in values.tolist()], np.int64)
    else:
        places = np.searchsorted(np.array(limits), values, side="right")
    places = np.minimum(places, len(limits) - 1)
    filled, counts = np.unique(places, return_counts=True)
    kept_limits: list[float] = []
    kept_counts: list[float] = []
    last = -1
    for place, count in zip(filled.tolist(), counts.tolist(), strict=True):
        if place > last + 1:  # the empty buckets in between, as one
            kept_limits.append(limits[place - 1])
            kept_counts.append(0.0)
        kept_limits.append(limits[place])
        kept_counts.append(float(count))
        last = place
    if last < len(limits) - 1:
        kept_limits.append(limits[-1])
        kept_counts.append(0.0)
    return kept_limits, kept_counts


def _histogram(context: Any, op: Operation, tag: Any, values: Any) -> tuple[bytes]:
    flat = np.ravel(values).astype(np.float64)
    for what, is_bad in (("Nan", np.isnan), ("Infinity", np.isinf)):
        if is_bad(flat).any():
            raise errors.InvalidArgumentError(None, op, f"{what} in summary histogram for: {_text(tag)}")
    summary = _proto()()
    histogram = summary.value.add(tag=_text(tag)).histo
    limits, counts = histogram_buckets(flat)
    histogram.min = flat.min() if len(flat) else sys.float_info.max
    histogram.max = flat.max() if len(flat) else -sys.float_info.max
    histogram.num = len(flat)
    if len(flat):  # summed one after the other, as TensorFlow does, so that the last bits agree
        histogram.sum = np.add.accumulate(flat)[-1]
        histogram.sum_squares = np.add.accumulate(flat * flat)[-1]
    histogram.bucket_limit.extend(limits)
    histogram.bucket.extend(counts)
    return (summary.SerializeToString(),)


# -- images and sound -----------------------------------------------------------------------------------------


def _image(context: Any, op: Operation, tag: Any, tensor: Any) -> tuple[bytes]:
    shape = np.shape(tensor)
    if len(shape) != 4 or shape[3] not in _PNG_COLOR_TYPES:
        shown = "[" + ",".join(map(str, shape)) + "]"
        raise errors.InvalidArgumentError(None, op, f"Tensor must be 4-D with last dim 1, 3, or 4, not {shown}")
    if 0 in shape[1:]:
        raise errors.InvalidArgumentError(None, op, f"input tensor must have non-zero dims. Found: {list(shape)}.")
    most = op._attrs["max_images"]
    bad_color = op._attrs["bad_color"]
    summary = _proto()()
    _, height, width, channels = shape
    for index, image in enumerate(np.asarray(tensor)[:most]):
        name = f"{_text(tag)}/image" if most == 1 else f"{_text(tag)}/image/{index}"
        pixels = image if image.dtype == np.uint8 else _scaled(image, np.array(bad_color, np.uint8))
        value = summary.value.add(tag=name).image
        value.height, value.width, value.colorspace = height, width, channels
        value.encoded_image_string = encode_png(pixels)
    return (summary.SerializeToString(),)


def _scaled(image: np.ndarray[Any, Any], bad_color: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Scales an image to 0..255: from zero up, or around 128 where there are negative values."""
    # The scale is float32 and the rest in the image's own type, so that the pixels are TensorFlow's to the last bit.
    kind, single = image.dtype.type, np.float32
    good = np.isfinite(image).all(axis=2)
    finite = image[np.isfinite(image)]
    least, largest = (single(finite.min()), single(finite.max())) if finite.size else (single(0), single(0))
    if least < 0:
        largest, span, offset = max(abs(least), abs(largest)), single(127), kind(128)
    else:
        span, offset = single(255), kind(0)
    scale = kind(0 if largest < _ZERO else span / largest)
    pixels = np.empty(image.shape, np.uint8)
    pixels[good] = (image[good] * scale + offset).astype(np.uint8)
    pixels[~good] = bad_color[: image.shape[2]]
    return pixels


def encode_png(pixels: np.ndarray[Any, Any]) -> bytes:
    """Encodes an image as PNG.

    Args:
        pixels: uint8 ``[height, width, channels]`` with 1 (grey), 3 (RGB) or 4 (RGBA) channels.

    Returns:
        The file's bytes.
    """
    height, width, channels = pixels.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = np.zeros((height, 1 + width * channels), np.uint8)  # each row begins with its filter: 0, none
    rows[:, 1:] = pixels.reshape(height, width * channels)
    header = struct.pack(">IIBBBBB", width, height, 8, _PNG_COLOR_TYPES[channels], 0, 0, 0)
    data = zlib.compress(rows.tobytes())
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def _audio(context: Any, op: Operation, tag: Any, tensor: Any, sample_rate: Any) -> tuple[bytes]:
    sound = np.asarray(tensor)
    if sound.ndim not in (2, 3):
        shown = "[" + ",".join(map(str, sound.shape)) + "]"
        raise errors.InvalidArgumentError(None, op, f"Tensor must be 3-D or 2-D, got: {shown}")
    sound = sound.reshape(*sound.shape[:2], -1)
    most, rate = op._attrs["max_outputs"], float(sample_rate)
    summary = _proto()()
    for index, frames in enumerate(sound[:most]):
        name = f"{_text(tag)}/audio" if most == 1 else f"{_text(tag)}/audio/{index}"
        value = summary.value.add(tag=name).audio
        value.sample_rate, value.num_channels, value.length_frames = rate, frames.shape[1], frames.shape[0]
        value.encoded_audio_string, value.content_type = encode_wav(frames, round(rate)), "audio/wav"
    return (summary.SerializeToString(),)


def encode_wav(frames: np.ndarray[Any, Any], sample_rate: int) -> bytes:
    """Encodes sound as WAV with 16 bits a sample.

    Args:
        frames: ``[frames, channels]``, from -1 to 1; what lies beyond is clipped.
        sample_rate: Frames per second.

    Returns:
        The file's bytes.
    """
    samples: bytes = np.clip(np.rint(frames.astype(np.float64) * 32768), -32768, 32767).astype("<i2").tobytes()
    channels = frames.shape[1]
    head = struct.pack(
        "<4sIHHIIHH",
        b"fmt ",
        16,
        1,
        channels,
        sample_rate,
        2 * channels * sample_rate,
        2 * channels,
        16,
    )
    body = b"WAVE" + head + struct.pack("<4sI", b"data", len(samples)) + samples
    riff: bytes = struct.pack("<4sI", b"RIFF", len(body)) + body
    return riff


# -- merging --------------------------------------------------------------------------------------------------


def _merge(context: Any, op: Operation, *inputs: Any) -> tuple[bytes]:
    from google.protobuf.message import DecodeError

    parts = [part for each in inputs for part in ([each] if isinstance(each, bytes) else np.ravel(each))]
    seen = set()
    for part in parts:
        try:
            values = _proto().FromString(part).value
        except DecodeError:
            raise errors.InvalidArgumentError(None, op, "Could not parse one of the summary inputs") from None
        for value in values:
            if value.tag in seen:
                raise errors.InvalidArgumentError(None, op, f"Duplicate tag {value.tag} found in summary inputs")
            seen.add(value.tag)
    return (b"".join(parts),)  # messages one after the other are their merge


define("ScalarSummary", "tags:string values:T -> summary:string", host=_scalar, infer=infer.scalar, no_grad=True)
define(
    "TensorSummaryV2", "tag:string tensor:T serialized_summary_metadata:string -> summary:string", host=_tensor,
    infer=infer.scalar, no_grad=True,
)  # fmt: skip
define(
    "HistogramSummary", "tag:string values:T -> summary:string", host=_histogram, infer=infer.scalar, no_grad=True,
    T=float32,
)  # fmt: skip
define(
    "ImageSummary", "tag:string tensor:T -> summary:string", host=_image, infer=infer.scalar, no_grad=True, T=float32,
    max_images=3, bad_color=np.array([255, 0, 0, 255], np.uint8),
)  # fmt: skip
define(
    "AudioSummaryV2", "tag:string tensor:float32 sample_rate:float32 -> summary:string", host=_audio,
    infer=infer.scalar, no_grad=True, max_outputs=3,
)  # fmt: skip
define("MergeSummary", "inputs:N*string -> summary:string", host=_merge, infer=infer.scalar, no_grad=True)
