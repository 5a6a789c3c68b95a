"""Summaries and event files: TensorFlow's tags, histograms and events, and TensorBoard reads them."""

from __future__ import annotations

import io
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import monitored as tf
import replay_training
from monitored._ops.summary_ops import histogram_buckets
from monitored._train.records import BackgroundWriter, pack_record, read_records


@pytest.mark.parametrize("name", replay_training.names("summaries/"))
def test_like_tensorflow(name: str) -> None:
    replay_training.check(name)


def run(build: Any) -> Any:
    with tf.Graph().as_default(), tf.Session() as session:
        return tf.Summary.FromString(session.run(build()))


def read_png(data: bytes) -> np.ndarray[Any, Any]:
    """The pixels of a PNG file of 8 bits a sample without filters."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    file = io.BytesIO(data[8:])
    chunks: dict[bytes, bytes] = {}
    while header := file.read(8):
        length, kind = struct.unpack(">I4s", header)
        chunks[kind] = file.read(length)
        assert struct.unpack(">I", file.read(4))[0] == zlib.crc32(kind + chunks[kind])
    width, height, depth, color = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    channels = {0: 1, 2: 3, 6: 4}[color]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + width * channels)
    assert depth == 8
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, channels)


@pytest.mark.parametrize(
    ("values", "pixels"),
    [  # what TensorFlow 1.15 gives
        ([0, 0.5, 1], [0, 127, 255]),
        ([0.1, 0.2, 0.3], [84, 169, 254]),
        ([0, 100, 200], [0, 127, 255]),
        ([-1, 0, 1], [1, 128, 255]),
        ([-2, 0, 1], [1, 128, 191]),
        ([-0.1, 0, 0.05], [1, 128, 191]),
        ([0, 0, 0], [0, 0, 0]),
        ([1e-8, 2e-8], [0, 0]),
        ([float("nan"), 1, 2], [255, 127, 255]),
        ([float("inf"), 1, -2], [255, 191, 1]),
        ([300, 299.5], [255, 254]),
    ],
)
def test_images_are_scaled_as_in_tensorflow(values: list[float], pixels: list[int]) -> None:
    image = np.array(values, np.float32).reshape(1, 1, -1, 1)
    summary = run(lambda: tf.summary.image("i", image))
    assert read_png(summary.value[0].image.encoded_image_string).ravel().tolist() == pixels


@pytest.mark.parametrize(
    ("values", "double", "half"),
    [  # what TensorFlow 1.15 gives
        ([0.1, 0.2, 0.3], [84, 169, 254], [85, 170, 255]),
        ([0, 100, 200], [0, 127, 254], [0, 127, 255]),
        ([-0.1, 0, 0.05], [1, 128, 191], [1, 128, 191]),
        ([0.7, 0.9, 0.3, 1.1], [162, 208, 69, 254], [162, 208, 69, 255]),
    ],
)
def test_images_of_other_types(values: list[float], double: list[int], half: list[int]) -> None:
    for dtype, pixels in ((tf.float64, double), (tf.float16, half)):
        image = np.array(values).reshape(1, 1, -1, 1)
        summary = run(lambda i=image, d=dtype: tf.summary.image("i", tf.constant(i, d)))
        assert read_png(summary.value[0].image.encoded_image_string).ravel().tolist() == pixels


def test_colors_and_bytes() -> None:
    nan = float("nan")
    colors = np.array([[[[nan, 1, 2], [3, 4, 5]]]], np.float32)
    pixels = read_png(run(lambda: tf.summary.image("i", colors)).value[0].image.encoded_image_string)
    assert pixels.tolist() == [[[255, 0, 0], [153, 204, 255]]]
    raw = np.random.default_rng(0).integers(0, 256, [2, 5, 7, 4]).astype(np.uint8)
    summary = run(lambda: tf.summary.image("i", tf.constant(raw)))
    for value, image in zip(summary.value, raw, strict=True):
        np.testing.assert_array_equal(read_png(value.image.encoded_image_string), image)


@settings(max_examples=100, deadline=None)
@given(arrays.arrays(np.float64, st.integers(0, 60), elements=st.floats(-1e30, 1e30)))
def test_every_value_is_in_one_bucket(values: np.ndarray[Any, Any]) -> None:
    limits, counts = histogram_buckets(values)
    assert limits == sorted(limits)
    assert len(limits) == len(counts)
    assert sum(counts) == len(values)
    for i, (limit, count) in enumerate(zip(limits, counts, strict=True)):
        lower = limits[i - 1] if i else -np.inf
        assert count == ((values >= lower) & (values < limit)).sum() or not count


def test_a_summary_step_keeps_the_device_part_in_one_piece() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [3])
        y = tf.reduce_sum(tf.exp(x) * 2.0)
        merged = tf.summary.merge([tf.summary.scalar("y", y), tf.summary.histogram("x", tf.exp(x))])
        plan = session.plan([merged, y], {x: [1, 2, 3]})
        assert plan.count("segment of") == 1, plan


# -- event files ----------------------------------------------------------------------------------------------


def one_scalar(value: float = 1.0) -> Any:
    return tf.Summary(value=[tf.Summary.Value(tag="t", simple_value=value)])


def test_tensorboard_reads_what_is_written(tmp_path: Path) -> None:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with tf.Graph().as_default() as graph, tf.Session() as session:
        x = tf.placeholder(tf.float32, [], name="x")
        merged = tf.summary.merge(
            [
                tf.summary.scalar("loss", x),
                tf.summary.histogram("h", np.arange(10.0)),
                tf.summary.image("im", np.zeros([2, 8, 8, 3], np.float32)),
                tf.summary.audio("au", np.zeros([1, 8], np.float32), 8000.0, max_outputs=1),
                tf.summary.text("t", tf.constant("hello")),
            ]
        )
        with tf.summary.FileWriter(tmp_path, graph) as writer:
            for i in range(5):
                writer.add_summary(session.run(merged, {x: i * 2.0}), i)
    found = event_accumulator.EventAccumulator(str(tmp_path), size_guidance={"scalars": 0})
    found.Reload()
    assert [(event.step, event.value) for event in found.Scalars("loss")] == [(i, i * 2.0) for i in range(5)]
    assert found.Histograms("h")[0].histogram_value.num == 10
    tags = found.Tags()
    assert tags["images"] == ["im/image/0", "im/image/1"]
    assert tags["audio"] == ["au/audio"]
    assert tags["tensors"] == ["t"]
    assert found.Graph().node[0].name == "x"
    assert tags["meta_graph"]


def test_metadata_is_written_once_for_each_tag(tmp_path: Path) -> None:
    metadata = tf.SummaryMetadata(plugin_data=tf.SummaryMetadata.PluginData(plugin_name="p"))
    summary = tf.Summary(value=[tf.Summary.Value(tag="m", simple_value=1.0, metadata=metadata)])
    with tf.summary.FileWriter(tmp_path) as writer:
        for i in range(2):
            writer.add_summary(summary, i)
    (path,) = tmp_path.iterdir()
    _, first, second = tf.train.summary_iterator(path)
    assert first.summary.value[0].metadata.plugin_data.plugin_name == "p"
    assert not second.summary.value[0].HasField("metadata")
    assert summary.value[0].HasField("metadata")


def test_a_closed_writer_warns_and_can_be_opened_again(tmp_path: Path) -> None:
    writer = tf.summary.FileWriter(tmp_path)
    writer.add_summary(one_scalar(), 1)
    writer.close()
    writer.close()
    with pytest.warns(UserWarning, match="closed FileWriter"):
        writer.add_summary(one_scalar(), 2)
    writer.reopen()
    writer.reopen()
    writer.add_summary(one_scalar(), 3)
    writer.close()
    steps = [[event.step for event in tf.train.summary_iterator(path)] for path in sorted(tmp_path.iterdir())]
    assert sorted(steps) == [[0, 1], [0, 3]]


def test_the_cache_keeps_one_writer_for_each_directory(tmp_path: Path) -> None:
    cache = tf.summary.FileWriterCache
    with tf.Graph().as_default():
        tf.constant(1.0)
        writer = cache.get(tmp_path / "a")
        assert cache.get(tmp_path / "a") is writer
        assert cache.get(tmp_path / "b") is not writer
        cache.clear()
        assert cache.get(tmp_path / "a") is not writer
        cache.clear()
    (path, *_) = sorted((tmp_path / "a").iterdir())
    assert [event.WhichOneof("what") for event in tf.train.summary_iterator(path)] == [
        "file_version", "graph_def", "meta_graph_def",
    ]  # fmt: skip


def test_a_directory_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(tf.errors.OpError, match="file"):
        tf.summary.FileWriter(tmp_path / "file")
    with pytest.raises(tf.errors.NotFoundError, match="nothing"):
        list(tf.train.summary_iterator(tmp_path / "nothing"))
    with pytest.raises(TypeError, match="Event proto"):
        with tf.summary.FileWriter(tmp_path / "a") as writer:
            writer.add_event(3)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5), st.data())
def test_damaged_records_are_found(tmp_path_factory: pytest.TempPathFactory, records: list[bytes], data: Any) -> None:
    path = tmp_path_factory.mktemp("records") / "file"
    whole = b"".join(map(pack_record, records))
    path.write_bytes(whole)
    assert list(read_records(str(path))) == records
    cut = data.draw(st.integers(1, len(whole) - 1))
    path.write_bytes(whole[:cut])
    if cut not in np.cumsum([len(pack_record(r)) for r in records]).tolist():
        with pytest.raises(tf.errors.DataLossError, match="truncated record"):
            list(read_records(str(path)))
    place, bit = data.draw(st.integers(0, len(whole) - 1)), data.draw(st.integers(0, 7))
    path.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :])
    with pytest.raises(tf.errors.DataLossError, match="record at"):
        list(read_records(str(path)))


def test_flush_waits_until_the_file_has_everything(tmp_path: Path) -> None:
    path = tmp_path / "file"
    writer = BackgroundWriter(str(path), max_queue=3)
    for i in range(20):
        writer.write(bytes([i]))
    writer.flush()
    assert list(read_records(str(path))) == [bytes([i]) for i in range(20)]
    writer.write(b"more")
    writer.close()
    assert len(list(read_records(str(path)))) == 21
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"")
    writer.flush()
    with pytest.raises(tf.errors.AlreadyExistsError):
        BackgroundWriter(str(path), 1)


def test_what_a_full_disk_costs_is_told_once_and_what_comes_after_it_is_written(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    writer = BackgroundWriter(str(tmp_path / "file"), max_queue=1)
    disk = writer._file = _FullDisk(writer._file)  # type: ignore[assignment]
    writer.write(b"first")
    writer.flush()
    disk.left = 7
    writer.write(b"lost")
    with pytest.raises(tf.errors.ResourceExhaustedError, match="No space left"):
        writer.flush()
    writer.write(b"lost too")
    with pytest.raises(tf.errors.ResourceExhaustedError, match="No space left"):
        writer.flush()
    disk.left = 1000
    writer.write(b"last")
    writer.flush()
    writer.close()
    assert list(read_records(str(tmp_path / "file"))) == [b"first", b"last"]
    assert caplog.text.count("is lost until") == 1


class _FullDisk(io.RawIOBase):
    """A file on a disk that has room for so many bytes."""

    def __init__(self, file: Any) -> None:
        self._inner, self.left = file, 1000

    def write(self, data: Any) -> int:
        if not self.left:
            raise OSError(28, "No space left on device")
        written = self._inner.write(data[: self.left])
        self.left -= written
        return int(written)

    def seek(self, *args: Any) -> int:
        return int(self._inner.seek(*args))

    def tell(self) -> int:
        return int(self._inner.tell())

    def truncate(self, size: Any = None) -> int:
        return int(self._inner.truncate(size))

    def close(self) -> None:
        self._inner.close()


def test_several_threads_write_whole_records(tmp_path: Path) -> None:
    path = tmp_path / "file"
    writer = BackgroundWriter(str(path), max_queue=2)
    threads = [threading.Thread(target=lambda i=i: [writer.write(bytes([i]) * 9) for _ in range(50)]) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    writer.close()
    found = list(read_records(str(path)))
    assert sorted(found) == sorted(bytes([i]) * 9 for i in range(4) for _ in range(50))
