"""`save()` of a monitored session, and a `Saver` that is given one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import monitored as tf


def _names(directory: Path) -> list[str]:
    return sorted(path.name.removesuffix(".index") for path in directory.glob("*.index"))


def test_save_tells_the_saver_hooks_whatever_their_timers_say(make: Callable[..., Any], tmp_path: Path) -> None:
    step = tf.assign_add(tf.train.get_or_create_global_step(), 1)
    saved = []

    class Listener(tf.train.CheckpointSaverListener):
        def before_save(self, session: Any, global_step_value: int) -> None:
            saved.append(("before", global_step_value))

        def after_save(self, session: Any, global_step_value: int) -> None:
            saved.append(("after", global_step_value))

    hook = tf.train.CheckpointSaverHook(tmp_path, save_steps=5, listeners=[Listener()])
    with make([hook]) as session:
        for _ in range(3):
            session.run(step)
        assert session.save() == str(tmp_path / "model.ckpt-3")
        assert saved == [("before", 0), ("after", 0), ("before", 3), ("after", 3)]
        for _ in range(4):
            session.run(step)
        assert _names(tmp_path) == ["model.ckpt-0", "model.ckpt-3"]  # it counts from the last save
        session.run(step)
        assert _names(tmp_path) == ["model.ckpt-0", "model.ckpt-3", "model.ckpt-8"]
    assert tf.train.latest_checkpoint(str(tmp_path)) == str(tmp_path / "model.ckpt-8")


def test_save_without_a_hook_goes_into_the_sessions_directory(make: Callable[..., Any], tmp_path: Path) -> None:
    step = tf.assign_add(tf.train.get_or_create_global_step(), 1)
    directory = tmp_path / "new"
    with make([], checkpoint_dir=str(directory)) as session:
        session.run(step)
        assert session.save() == str(directory / "model.ckpt-1")
    with make([], checkpoint_dir=str(directory)) as session:
        assert session.run(step) == 2


def test_save_to_a_path_is_apart_from_the_others(make: Callable[..., Any], tmp_path: Path) -> None:
    step = tf.assign_add(tf.train.get_or_create_global_step(), 1)
    directory, elsewhere = tmp_path / "run", tmp_path / "kept"
    elsewhere.mkdir()
    scaffold = tf.train.Scaffold(saver=tf.train.Saver(max_to_keep=1))
    hook = tf.train.CheckpointSaverHook(directory, save_steps=1, scaffold=scaffold)
    with make([hook], scaffold=scaffold) as session:
        session.run(step)
        assert session.save(elsewhere / "by_hand") == str(elsewhere / "by_hand")
        for _ in range(2):
            session.run(step)
    assert _names(elsewhere) == ["by_hand"]
    assert _names(directory) == ["model.ckpt-3"]
    assert tf.train.latest_checkpoint(str(elsewhere)) is None
    reader = tf.train.load_checkpoint(str(elsewhere / "by_hand"))
    assert reader.get_tensor("global_step") == 1


def test_a_listener_can_end_the_training_at_such_a_save(make: Callable[..., Any], tmp_path: Path) -> None:
    step = tf.assign_add(tf.train.get_or_create_global_step(), 1)

    class Listener(tf.train.CheckpointSaverListener):
        def after_save(self, session: Any, global_step_value: int) -> bool:
            return global_step_value > 0

    hook = tf.train.CheckpointSaverHook(tmp_path, save_steps=100, listeners=[Listener()])
    with make([hook]) as session:
        session.run(step)
        assert not session.should_stop()
        session.save()
        assert session.should_stop()


def test_save_says_what_it_lacks(make: Callable[..., Any], tmp_path: Path) -> None:
    x = tf.constant(1.0)
    with make([]) as session:
        with pytest.raises(RuntimeError, match="Nothing says where to save"):
            session.save()
        with pytest.raises(RuntimeError, match="no variables"):
            session.save(tmp_path / "model.ckpt")
        assert session.run(x) == 1
    with pytest.raises(RuntimeError, match="closed session"):
        session.save(tmp_path / "model.ckpt")


def test_a_saver_takes_either_session(make: Callable[..., Any], tmp_path: Path) -> None:
    v = tf.get_variable("v", [], initializer=tf.constant_initializer(3.0))
    change = tf.assign(v, 7.0)
    saver = tf.train.Saver()
    with make([]) as session:
        path = saver.save(session, str(tmp_path / "model.ckpt"))
        session.run(change)
        saver.restore(session, path)
        assert session.run(v) == 3
    with pytest.raises(RuntimeError, match="closed Session"):
        saver.save(session, str(tmp_path / "model.ckpt"))
