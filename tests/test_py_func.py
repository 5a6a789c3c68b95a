"""Python functions as operations, printing, and checks; compared with what TensorFlow gave."""

from __future__ import annotations

import gc
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import monitored as tf
import replay_training


@pytest.mark.parametrize("name", replay_training.names("py_func/", "checks/"))
def test_like_tensorflow(name: str) -> None:
    replay_training.check(name)


def test_the_message_holds_the_functions_traceback_and_the_cause_is_kept() -> None:
    def broken(x: Any) -> Any:
        raise KeyError("lost")

    with tf.Graph().as_default(), tf.Session() as session:
        y = tf.py_func(broken, [1.0], tf.float32, name="mine")
        with pytest.raises(tf.errors.UnknownError) as caught:
            session.run(y)
    text = str(caught.value)
    assert "in broken" in text
    assert 'raise KeyError("lost")' in text
    assert "function.call" not in text
    assert "[[node mine (defined at" in text
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_is_to_end_the_program_does(error: type[BaseException]) -> None:
    def stop() -> None:
        raise error

    with tf.Graph().as_default(), tf.Session() as session, pytest.raises(error):
        session.run(tf.py_func(stop, [], tf.float32))


def test_a_result_must_have_the_shape_that_was_declared() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        y = tf.py_func(lambda: np.zeros((2, 3), np.float32), [], tf.float32)
        y.set_shape([None, 3])
        assert session.run(y + 1).shape == (2, 3)
        z = tf.py_func(lambda: np.zeros((2, 3), np.float32), [], tf.float32)
        z.set_shape([3, 3])
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"has shape \(2, 3\), but PyFunc_1:0 was declared"):
            session.run(z)


def test_a_wrong_type_says_what_to_write() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        with pytest.raises(
            tf.errors.InvalidArgumentError, match=r"return np\.float32 values, or declare Tout as tf\.float64"
        ):
            session.run(tf.py_func(lambda: 1.0, [], tf.float32))


def test_a_graph_keeps_its_functions_and_nothing_else_does() -> None:
    class Function:
        def __call__(self) -> Any:
            return np.float32(3)

    function = Function()
    gone = weakref.ref(function)
    graph = tf.Graph()
    with graph.as_default(), tf.Session() as session:
        y = tf.py_func(function, [], tf.float32)
        del function
        gc.collect()
        assert session.run(y) == 3
    del graph, session, y
    gc.collect()
    assert gone() is None


def test_a_function_runs_once_for_all_fetches_and_in_program_order() -> None:
    calls: list[str] = []

    def note(name: bytes) -> Any:
        calls.append(name.decode())
        return np.float32(len(calls))

    with tf.Graph().as_default(), tf.Session() as session:
        first = tf.py_func(note, ["first"], tf.float32)
        second = tf.py_func(note, ["second"], tf.float32)
        tf.py_func(note, ["not fetched"], tf.float32)
        for tensor in (first, second):
            tensor.set_shape([])
        assert session.run([second, first, first + second, first]) == [2, 1, 3, 1]
    assert calls == ["first", "second"]


def test_nothing_flows_back_through_a_function() -> None:
    with tf.Graph().as_default():
        x = tf.constant(1.0)
        y = tf.py_func(lambda v: v, [x], tf.float32)
        y.set_shape([])
        assert tf.gradients(y, x) == [None]


def test_print_writes_to_the_standard_error_and_passes_its_input(capfd: pytest.CaptureFixture[str]) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [2])
        shown = tf.Print(x, [x, tf.constant("q"), [1.5, 2, 3, 4]], message="here ", first_n=2, summarize=3)
        for _ in range(3):
            assert session.run(shown * 2, {x: [1, 2]}).tolist() == [2, 4]
        assert session.run(tf.gradients(shown * 3, x), {x: [1, 2]})[0].tolist() == [3, 3]
    assert capfd.readouterr().err == "here [1 2][q][1.5 2 3...]\n" * 2


def test_print_of_structures(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.constant([1.0, 2.0])
        session.run(tf.print("a", x, {"k": x, "b": [x, 3]}, tf.constant("s"), sep="|", end="E\n"))
        session.run(tf.print(np.arange(20).reshape(4, 5), tf.range(10), True, None, output_stream=sys.stdout))
        session.run(tf.print(tf.constant("alone")))
        target = tmp_path / "lines"
        for _ in range(2):
            session.run(tf.print(x, output_stream=f"file://{target}"))
        with pytest.raises(ValueError, match="Unknown output stream"):
            tf.print(x, output_stream=3)
        with pytest.raises(ValueError, match="Unrecognized keyword"):
            tf.print(x, file=3)
    captured = capsys.readouterr()
    assert captured.err == "a|[1 2]|{'b': [[1 2], 3], 'k': [1 2]}|\"s\"E\nalone\n"
    assert captured.out.endswith(" [0 1 2 ... 7 8 9] True None\n")
    assert target.read_text() == "[1 2]\n[1 2]\n"


def test_what_an_assertion_guards_does_not_run_when_it_fails() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32, [])
        v = tf.Variable(0.0)
        session.run(v.initializer)
        with tf.control_dependencies([tf.assert_positive(x)]):
            change = v.assign(x)
        session.run(change, {x: 2.0})
        with pytest.raises(tf.errors.InvalidArgumentError, match="x > 0 did not hold"):
            session.run(change, {x: -2.0})
        assert session.run(v) == 2.0


def test_what_is_known_to_hold_costs_nothing() -> None:
    with tf.Graph().as_default() as graph:
        check = tf.assert_equal([1, 2], [1, 2])
        assert check.type == "NoOp"
        assert not [op for op in graph.get_operations() if op.type == "Assert"]


def test_ensure_shape() -> None:
    with tf.Graph().as_default(), tf.Session() as session:
        x = tf.placeholder(tf.float32)
        y = tf.ensure_shape(x, [None, 2])
        assert y.shape.as_list() == [None, 2]
        assert session.run(y, {x: [[1, 2]]}).tolist() == [[1, 2]]
        with pytest.raises(tf.errors.InvalidArgumentError, match="not compatible with expected shape"):
            session.run(y, {x: [1, 2, 3]})
        with pytest.raises(ValueError, match="Shapes must be equal"):
            tf.ensure_shape(y, [3, 3])
