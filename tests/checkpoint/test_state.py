"""The `checkpoint` file. What is compared with literal text was written by TensorFlow 1.15."""

import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import monitored as tf
from monitored import errors
from monitored._checkpoint import (
    checkpoint_exists,
    generate_checkpoint_state_proto,
    get_checkpoint_mtimes,
    get_checkpoint_state,
    latest_checkpoint,
    remove_checkpoint,
    update_checkpoint_state,
    write_bundle,
    write_checkpoint_state,
)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory `a` in the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    return tmp_path / "a"


def text_of(*paths: str) -> str:
    """A state file: the newest checkpoint, and then all of them."""
    lines = [f'model_checkpoint_path: "{paths[0]}"'] + [f'all_model_checkpoint_paths: "{p}"' for p in paths[1:]]
    return "\n".join(lines) + "\n"


def fields_of(state: Any) -> tuple[str, list[str]]:
    return state.model_checkpoint_path, list(state.all_model_checkpoint_paths)


@pytest.mark.parametrize(
    ("newest", "everything", "text"),
    [
        ("a/m-2", ["a/m-1", "a/m-2"], text_of("m-2", "m-1", "m-2")),
        ("a/m-2", None, text_of("m-2", "m-2")),
        ("a/m-2", [], text_of("m-2", "m-2")),
        ("a/m-3", ["a/m-1", "a/m-2"], text_of("m-3", "m-1", "m-2", "m-3")),
        ("a/m-1", ["a/m-1", "a/m-2"], text_of("m-1", "m-1", "m-2", "m-1")),
        ("/x/m-2", ["a/m-1"], text_of("/x/m-2", "m-1", "/x/m-2")),
        ("b/m-1", None, text_of("../b/m-1", "../b/m-1")),
        ('a/m"\\\n\u00e9-1', None, text_of(r"m\"\\\n\303\251-1", r"m\"\\\n\303\251-1")),
    ],
)
def test_paths_in_a_relative_directory_are_written_relative_to_it(
    directory: Path, newest: str, everything: list[str] | None, text: str
) -> None:
    update_checkpoint_state("a", newest, everything)
    assert (directory / "checkpoint").read_text() == text
    state = get_checkpoint_state("a")
    assert state is not None
    assert os.path.relpath(state.model_checkpoint_path) == os.path.relpath(newest)


@pytest.mark.parametrize(
    ("relative", "newest", "stored"),
    [(False, "{}/m-2", "{}/m-2"), (False, "m-2", "m-2"), (True, "{}/m-2", "m-2"), (True, "m-2", "m-2")],
)
def test_paths_in_an_absolute_directory_are_written_as_given_unless_asked(
    directory: Path, relative: bool, newest: str, stored: str
) -> None:
    newest, stored = newest.format(directory), stored.format(directory)
    write_checkpoint_state(directory, newest, save_relative_paths=relative)
    assert (directory / "checkpoint").read_text() == text_of(stored, stored)
    state = get_checkpoint_state(directory)
    assert fields_of(state) == (f"{directory}/m-2", [f"{directory}/m-2"])


def test_absolute_path_can_be_written_relative_to_a_relative_directory(directory: Path) -> None:
    write_checkpoint_state("a", directory / "m-2", save_relative_paths=True)
    assert (directory / "checkpoint").read_text() == text_of("m-2", "m-2")


def test_timestamps_are_written_as_tensorflow_does_and_read_back(directory: Path) -> None:
    times = [1.5, 1700000000.123456]
    update_checkpoint_state(
        "a",
        "a/m-2",
        ["a/m-1", "a/m-2"],
        all_model_checkpoint_timestamps=times,
        last_preserved_timestamp=1699999999.25,
    )
    assert (directory / "checkpoint").read_text() == text_of("m-2", "m-1", "m-2") + (
        "all_model_checkpoint_timestamps: 1.5\n"
        "all_model_checkpoint_timestamps: 1700000000.123456\n"
        "last_preserved_timestamp: 1699999999.25\n"
    )
    state = get_checkpoint_state("a")
    assert state is not None
    assert list(state.all_model_checkpoint_timestamps) == times
    assert state.last_preserved_timestamp == 1699999999.25


def test_as_many_timestamps_as_paths_are_needed() -> None:
    with pytest.raises(ValueError, match=r"must match checkpoint paths \(got paths \['a/m-0', 'a/m-1'\]"):
        generate_checkpoint_state_proto("a", "a/m-1", ["a/m-0"], [3.0], 4.0)


def test_message_prints_as_tensorflows() -> None:
    assert str(generate_checkpoint_state_proto("a/", "a/m-1")) == text_of("m-1", "m-1")


@pytest.mark.parametrize("save_dir", ["a", "{}"])
def test_checkpoint_named_as_the_state_file_is_refused(directory: Path, save_dir: str) -> None:
    save_dir = save_dir.format(directory)
    with pytest.raises(RuntimeError, match="conflicts with path used for checkpoint state"):
        update_checkpoint_state(save_dir, f"{save_dir}/checkpoint")
    update_checkpoint_state(save_dir, f"{save_dir}/checkpoint", latest_filename="other")
    assert get_checkpoint_state(save_dir) is None
    assert get_checkpoint_state(save_dir, "other") is not None


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (
            'model_checkpoint_path: "m-1"\nall_model_checkpoint_paths: "../x/m"\n',
            ("a/m-1", ["a/../x/m"]),
        ),
        ("model_checkpoint_path: 'q' # c\n", ("a/q", [])),
        ('model_checkpoint_path: "m-1"\nmodel_checkpoint_path: "m-2"\n', ("a/m-2", [])),
        ('model_checkpoint_path: "/x/m"', ("/x/m", [])),
        (r'model_checkpoint_path: "m\303\251"', ("a/m\u00e9", [])),
    ],
)
def test_state_that_others_wrote_is_read_as_tensorflow_reads_it(
    directory: Path, text: str, fields: tuple[str, list[str]]
) -> None:
    (directory / "checkpoint").write_text(text)
    assert fields_of(get_checkpoint_state("a")) == fields


@pytest.mark.parametrize(
    "content",
    [b"garbage", b'model_checkpoint_path: "m-1', b'model_checkpoint_path: "m"\nx: 3', b"\xff\xfe\0", b'x: "\\377"'],
)
def test_damaged_state_is_ignored_with_a_warning(
    directory: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (directory / "checkpoint").write_bytes(content)
    with caplog.at_level(logging.WARNING, "monitored"):
        assert get_checkpoint_state("a") is None
    assert "a/checkpoint: Checkpoint ignored" in caplog.text
    assert latest_checkpoint("a") is None
    with pytest.raises(errors.DataLossError, match=r"a/checkpoint, .* is damaged or cannot be read"):
        restored_step("a")


def test_directory_in_place_of_the_state_is_ignored_on_reading_and_an_error_on_writing(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (directory / "checkpoint").mkdir()
    assert get_checkpoint_state("a") is None
    assert "Is a directory" in caplog.text
    with pytest.raises(errors.FailedPreconditionError, match="a/checkpoint; Is a directory"):
        update_checkpoint_state("a", "a/m")
    assert [path.name for path in directory.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("content", [b"", b'all_model_checkpoint_paths: "m-1"', b'model_checkpoint_path: ""'])
def test_state_that_names_no_checkpoint_is_a_value_error_as_in_tensorflow(directory: Path, content: bytes) -> None:
    (directory / "checkpoint").write_bytes(content)
    with pytest.raises(ValueError, match="Invalid checkpoint state loaded from a"):
        get_checkpoint_state("a")
    with pytest.raises(ValueError, match="Invalid checkpoint state loaded from a"):
        latest_checkpoint("a")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60) | st.binary(max_size=20).map(lambda rest: b"model_checkpoint_path: " + rest))
def test_any_state_file_is_read_or_ignored(directory: Path, content: bytes) -> None:
    (directory / "checkpoint").write_bytes(content)
    try:
        state = get_checkpoint_state("a")
    except ValueError as error:
        assert str(error) == "Invalid checkpoint state loaded from a"  # noqa: PT017 - both outcomes are right
    else:
        assert state is None or state.model_checkpoint_path


def test_missing_state_is_none_and_missing_directory_is_not_made(directory: Path) -> None:
    for missing in ["a", "nowhere"]:
        assert get_checkpoint_state(missing) is None
        assert latest_checkpoint(missing) is None
        assert restored_step(missing) is None
    with pytest.raises(errors.NotFoundError, match="nowhere/checkpoint; No such file or directory"):
        update_checkpoint_state("nowhere", "nowhere/m")


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_state_that_cannot_be_written_leaves_the_one_before(
    directory: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    update_checkpoint_state("a", "a/m-1")

    def failing(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, function, failing)
    with pytest.raises(errors.ResourceExhaustedError, match="a/checkpoint; No space left"):
        update_checkpoint_state("a", "a/m-2")
    assert [path.name for path in directory.iterdir()] == ["checkpoint"]
    assert fields_of(get_checkpoint_state("a"))[0] == "a/m-1"


@pytest.fixture
def files(directory: Path) -> list[str]:
    """Files of checkpoints in `a`, all of the same time, 1000.5 seconds."""
    names = ["m-1.index", "m-1.data-00000-of-00001", "m-1.data-00000-of-00002", "m-1.data-x", "m-1.meta"]
    names += ["m-10.index", "v1", "v1.meta", "s-00000-of-00002", "s.meta", "[m]-1.index"]
    for name in names:
        (directory / name).touch()
        os.utime(directory / name, (1000, 1000.5))
    return names


@pytest.mark.usefixtures("files")
def test_checkpoint_exists_by_its_index_or_its_own_file_and_by_pattern() -> None:
    for prefix in ["a/m-1", "a/v1", "a/m-*", "a/s-?????-of-00002", Path("a/m-1"), "a/[m]-1"]:
        assert checkpoint_exists(prefix)
        assert get_checkpoint_mtimes([prefix]) == [1000.5]
    assert not checkpoint_exists("a/nope")
    assert get_checkpoint_mtimes(["a/m-1", "a/nope", "a/v1"]) == [1000.5, 1000.5]


@pytest.mark.parametrize(
    ("arguments", "removed"),
    [
        (("a/m-1",), ["m-1.index", "m-1.data-00000-of-00001", "m-1.data-00000-of-00002", "m-1.meta"]),
        (("a/m-1", 2, "data-x"), ["m-1.index", "m-1.data-00000-of-00001", "m-1.data-00000-of-00002", "m-1.data-x"]),
        (("a/nope",), []),
        (("a/m-*",), []),
        (("a/[m]-1",), ["[m]-1.index"]),
        (("a/v1",), ["v1.meta"]),
        (("a/v1", 1), ["v1", "v1.meta"]),
        (("a/s-?????-of-00002", 1), ["s-00000-of-00002", "s.meta"]),
    ],
)
def test_remove_checkpoint_removes_its_files_and_no_other(
    directory: Path, files: list[str], arguments: tuple[Any, ...], removed: list[str]
) -> None:
    remove_checkpoint(*arguments)
    assert sorted(path.name for path in directory.iterdir()) == sorted(set(files) - set(removed))


@pytest.mark.usefixtures("files")
def test_latest_checkpoint_is_the_one_named_if_it_exists(caplog: pytest.LogCaptureFixture) -> None:
    update_checkpoint_state("a", "a/m-10")
    assert latest_checkpoint("a") == "a/m-10"
    update_checkpoint_state("a", "a/m-11")
    assert latest_checkpoint("a") is None
    assert "Couldn't match files for checkpoint a/m-11" in caplog.text


def write_checkpoints(directory: Path, *steps: int) -> list[str]:
    paths = [f"{directory}/m-{step}" for step in steps]
    for path, step in zip(paths, steps, strict=True):
        write_bundle(path, {"v": np.full(10, step), "w": np.full(10, step)})
    update_checkpoint_state(directory, paths[-1], paths)
    return paths


def restored_step(directory: str | Path) -> int | None:
    """The step of the checkpoint that a session restores which begins in a directory; None if it restores none."""
    with tf.Graph().as_default():
        v = tf.get_variable("v", [10], tf.int64)
        w = tf.get_variable("w", [10], tf.int64)
        session, is_restored = tf.train.SessionManager().recover_session("", tf.train.Saver([v, w]), directory)
        with session:
            return int(session.run(v)[0]) if is_restored else None


def test_newest_checkpoint_that_is_whole_is_found_behind_damaged_ones(
    directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second, third, fourth = write_checkpoints(directory, 1, 2, 3, 4)
    assert restored_step(directory) == 4
    assert caplog.messages == []
    os.truncate(f"{fourth}.data-00000-of-00001", 10)
    os.remove(f"{third}.index")
    os.truncate(f"{second}.index", 30)
    assert restored_step(directory) == 1
    damaged = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [message.split(" is damaged")[0] for message in damaged] == [
        f"The checkpoint {path}" for path in (fourth, third, second)
    ]
    assert "the file has 10" in damaged[0]
    assert "its files are missing" in damaged[1]
    assert "m-2.index: file is too short" in damaged[2]
    assert os.path.exists(f"{fourth}.index")

    os.remove(f"{first}.data-00000-of-00001")
    with pytest.raises(errors.DataLossError, match="holds no checkpoint that is whole") as caught:
        restored_step(directory)
    assert all(f"\n  {path}: " in caught.value.message for path in (fourth, third, second, first))


def test_checkpoint_newer_than_the_named_one_is_not_taken(directory: Path) -> None:
    first, second, third = write_checkpoints(directory, 1, 2, 3)
    (directory / "checkpoint").write_text(text_of(second, first, second, third))
    assert restored_step(directory) == 2
    os.remove(f"{second}.index")
    assert restored_step(directory) == 1


def test_named_checkpoint_is_taken_though_it_is_not_in_the_list(directory: Path) -> None:
    first, second = write_checkpoints(directory, 1, 2)
    (directory / "checkpoint").write_text(text_of(second, first))
    assert restored_step(directory) == 2
    os.remove(f"{second}.index")
    assert restored_step(directory) == 1


def test_unreadable_checkpoint_is_an_error_and_not_passed_over(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, second = write_checkpoints(directory, 1, 2)
    opened = open

    def refused(path: Any, *args: Any, **kwargs: Any) -> Any:
        if path == f"{second}.index":
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **kwargs)

    monkeypatch.setattr("builtins.open", refused)
    with pytest.raises(errors.PermissionDeniedError, match=r"m-2.index; Permission denied"):
        restored_step(directory)
