"""What `ProgressHook` shows, and where."""

from __future__ import annotations

import io
import re
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import monitored as tf

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal(io.StringIO):
    """A file that says it is a terminal."""

    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        """Everything that was written, without colors and moves."""
        return ANSI.sub("", self.getvalue())

    def cursor_is_visible(self) -> bool:
        return self.getvalue().rfind("\x1b[?25l") < self.getvalue().rfind("\x1b[?25h")


@pytest.fixture(autouse=True)
def _graph(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    with tf.Graph().as_default():
        yield


class Clock:
    """A clock that goes on by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Training:
    """A session with a `ProgressHook` that takes steps; the loss halves in each."""

    def __init__(self, *args: Any, with_step: bool = True, **kwargs: Any) -> None:
        self.clock = Clock()
        x = tf.get_variable("x", [], initializer=tf.constant_initializer(8.0))
        self.loss = tf.assign(x, x / 2, name="loss")
        steps = [tf.assign_add(tf.train.get_or_create_global_step(), 1)] if with_step else []
        self.train_op = tf.group(self.loss, *steps)
        kwargs = {"tensors": {"loss": self.loss}, "clock": self.clock, **kwargs}
        self.hook = tf.train.ProgressHook(*args, **kwargs)
        self.fetched: list[Any] = []

    def run(self, steps: int, seconds: float = 1.0, fails: bool = False) -> None:
        with tf.train.SingularMonitoredSession(hooks=[self.hook]) as session:
            raw = session.raw_session()
            run = raw.run

            def noting(fetches: Any, *args: Any, **kwargs: Any) -> Any:
                self.fetched.append(fetches)
                return run(fetches, *args, **kwargs)

            raw.run = noting
            raw.run_joined = lambda fetches, more, feed_dict, known: noting([fetches, *more], feed_dict)
            for _ in range(steps):
                self.clock.now += seconds
                session.run(self.train_op)
            if fails:
                raise KeyError("mine")


# -- a terminal -------------------------------------------------------------------------------------------------------


def test_a_terminal_shows_step_bar_rate_time_left_and_tensors_with_curves():
    terminal = Terminal()
    Training(20, file=terminal).run(10)
    text = terminal.text()
    assert "compiling the first step" in text
    frame = text[: text.rindex("done after")].rpartition("left")[0].rpartition("step ")[2]
    head, loss = (line.rstrip() for line in frame.splitlines()[:1] + text.rpartition("left")[2].splitlines()[1:2])
    assert re.fullmatch(r"10 of 20 +━+╺━+ +50%  1\.0 steps/s  0:10", head)
    assert re.fullmatch(r"loss +0\.007812 +▇[▁-▇]+", loss)


def test_the_last_drawing_says_how_long_it_took():
    terminal = Terminal()
    Training(10, file=terminal).run(10)
    last = terminal.text().rpartition("step ")[2]
    assert re.match(r"10 of 10 +━+ +100%  1\.0 steps/s  done after 0:10\s", last)


def test_a_curve_stands_below_the_bar_and_grows_with_it():
    terminal = Terminal()
    Training(40, file=terminal).run(20)
    head, loss = terminal.text().rpartition("step ")[2].splitlines()[:2]
    assert len(loss.rstrip()) - head.index("━") - len("step ") == 20  # of the bar's forty columns


def test_the_cursor_stays_visible_and_the_streams_are_given_back(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    seen = []
    training = Training(10)
    after_run = training.hook.after_run

    def looking(*args: Any) -> None:
        after_run(*args)
        seen.append((sys.stderr is not terminal, terminal.cursor_is_visible()))

    training.hook.after_run = looking
    with pytest.raises(KeyError):
        training.run(3, fails=True)
    assert seen == [(True, True)] * 3  # what is printed goes above
    assert sys.stderr is terminal
    assert terminal.cursor_is_visible()
    assert "stopped after 0:03" in terminal.text()


def test_what_is_printed_meanwhile_goes_above(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    training = Training(4)
    with tf.train.SingularMonitoredSession(hooks=[training.hook]) as session:
        session.run(training.train_op)
        print("printed meanwhile", file=sys.stderr)
    text = terminal.text()
    assert text.index("printed meanwhile") < text.rindex("step 1 of 4")
    assert text.count("printed meanwhile") == 1


def test_what_goes_to_a_file_goes_on_doing_so(monkeypatch: pytest.MonkeyPatch):
    terminal, file = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", file)
    training = Training(4)
    with tf.train.SingularMonitoredSession(hooks=[training.hook]) as session:
        session.run(training.train_op)
        print("a result")
    assert file.getvalue() == "a result\n"
    assert "a result" not in terminal.text()


def test_a_failing_begin_of_another_hook_leaves_the_terminal_alone():
    class Fails(tf.train.SessionRunHook):
        def begin(self) -> None:
            raise KeyError("mine")

    terminal = Terminal()
    training = Training(4, file=terminal)
    with pytest.raises(KeyError):
        tf.train.SingularMonitoredSession(hooks=[training.hook, Fails()])
    assert terminal.getvalue() == ""


def test_without_a_last_step_there_is_no_bar(monkeypatch: pytest.MonkeyPatch):
    terminal = Terminal()
    Training(file=terminal).run(30)
    last = terminal.text().rpartition("step ")[2]
    assert "━" not in last
    assert re.match(r"30 +1\.0 steps/s  done after 0:30\s", last)


def test_a_narrow_terminal_gets_a_short_bar(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "60")
    terminal = Terminal()
    Training(20, file=terminal).run(20)
    assert max(map(len, terminal.text().rpartition("step ")[2].splitlines())) <= 60


def test_a_terminal_without_unicode_gets_no_blocks():
    class Ascii(Terminal):
        encoding = "ascii"  # type: ignore[assignment]

    terminal = Ascii()
    Training(20, file=terminal).run(20)
    terminal.getvalue().encode("ascii")


def test_tensors_of_any_kind_are_shown():
    terminal = Terminal()
    tensors = {
        "bad": tf.constant([1.0, np.nan])[1],
        "count": tf.constant(3),
        "vector": tf.constant([1.0, 2.5]),
        "text": tf.constant("hello"),
        "yes": tf.constant(True),
    }
    Training(4, file=terminal, tensors=tensors).run(3)
    last = terminal.text().rpartition("step ")[2]
    for line in (r"bad +nan", r"count +3 +▁+", r"vector +\[1\. +2\.5\]", r"text +hello", r"yes +True"):
        assert re.search(rf"^{line}\s*$", last, re.MULTILINE), line


def test_names_label_tensors_that_have_no_labels():
    terminal = Terminal()
    training = Training(4, file=terminal, tensors=["loss:0"])
    training.run(2)
    assert re.search(r"^loss +2\.000", terminal.text(), re.MULTILINE)


# -- when -------------------------------------------------------------------------------------------------------------


def test_it_fetches_only_when_it_draws():
    training = Training(100, file=Terminal(), every_n_secs=10)
    training.run(30)
    drawn = [fetches for fetches in training.fetched if fetches != [training.train_op]]
    asked = [fetches for fetches in drawn if isinstance(fetches, list) and len(fetches) == 2]
    assert len(asked) == 3  # the first run, and those after ten and twenty seconds
    assert len(drawn) == 3 + 3 + 1  # each time, and at the end, it reads the step


def test_no_terminal_no_output_and_no_fetches(capfd: pytest.CaptureFixture[str]):
    training = Training(20)
    training.run(5)
    assert training.fetched == [[training.train_op]] * 5
    assert capfd.readouterr() == ("", "")


def test_a_dumb_terminal_is_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    Training(20, file=terminal).run(5)
    assert terminal.getvalue() == ""


def test_plain_lines_come_now_and_then_if_wanted():
    file = io.StringIO()
    Training(30, file=file, plain_every_n_secs=10).run(25)
    assert file.getvalue().splitlines() == [
        "step     1 of 30   loss 4.000",
        "step    11 of 30   loss 0.003906   1.0 steps/s   0:19 left",
        "step    21 of 30   loss 3.815e-06   1.0 steps/s   0:09 left",
        "step    25 of 30   loss 3.815e-06   1.0 steps/s   done after 0:25",
    ]


@pytest.mark.parametrize(
    ("seconds", "pace", "left"),
    [(0.001, "1000 steps/s", "0:01"), (0.5, "2.0 steps/s", "8:16"), (30, "30.0 s/step", "8:16:00")],
)
def test_paces_and_times_are_told_in_fitting_units(seconds: float, pace: str, left: str):
    file = io.StringIO()
    Training(1000, file=file, plain_every_n_secs=1e-9).run(8, seconds)
    assert file.getvalue().splitlines()[-1].endswith(f"{pace}   done after {_total(8 * seconds)}")
    assert file.getvalue().splitlines()[-2].endswith(f"{pace}   {left} left")


def _total(seconds: float) -> str:
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"


def test_num_steps_counts_from_where_the_session_begins():
    file = io.StringIO()
    training = Training(num_steps=10, file=file, plain_every_n_secs=1)
    training.run(10)
    training.run(10)
    assert file.getvalue().splitlines()[-1].startswith("step    10 of 10")


def test_without_a_global_step_it_counts_runs():
    file = io.StringIO()
    Training(5, file=file, plain_every_n_secs=1, with_step=False).run(5)
    assert file.getvalue().splitlines()[-1].startswith("step     5 of 5")


def test_last_step_and_num_steps_exclude_each_other():
    with pytest.raises(ValueError, match="Only one of num_steps or last_step"):
        tf.train.ProgressHook(10, num_steps=5)


def test_the_training_step_is_compiled_once():
    training = Training(100, file=Terminal(), every_n_secs=3)
    with tf.train.SingularMonitoredSession(hooks=[training.hook]) as session:
        compiled = session.raw_session()._executor.compiled
        session.run(training.train_op)
        before = compiled.compiles
        for _ in range(10):
            training.clock.now += 1
            session.run(training.train_op)
        assert compiled.compiles <= before + 1


# -- a notebook -------------------------------------------------------------------------------------------------------


def test_a_notebook_shows_one_output_that_is_replaced(monkeypatch: pytest.MonkeyPatch):
    pages: list[str] = []

    class Handle:
        def update(self, page: str) -> None:
            pages.append(page)

    def display(page: str, display_id: bool) -> Handle:
        pages.append("new")
        pages.append(page)
        return Handle()

    shell = types.SimpleNamespace(kernel=object())
    module = types.SimpleNamespace(HTML=str, display=display)
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    training = Training(20, tensors={"<loss>": "loss:0"})
    training.run(10)
    assert pages.count("new") == 1
    last = pages[-1]
    assert "<b>step 10 of 20</b>" in last
    assert "width:50.0%" in last
    assert "&lt;loss&gt;" in last
    assert "<polyline points=" in last
    assert "done after 0:10" in last
