"""Programs of hooks, with a clock that moves one second a step; see `training_programs`."""

import os

import numpy as np

from oracle.programs import Group, error, plain
from oracle.training_programs import Clock, Log, directory, events

hooks = Group("hooks")


def hooks_reads(tf):
    """What TensorFlow's hooks read the global step with: it may come before or after an update that does not wait."""
    if tf.__name__ != "tensorflow":
        return []
    from tensorflow.python.training import training_util

    return [training_util._get_or_create_global_step_read()]


class Training:
    """A small training loop: a global step, a variable that grows by one each step, and a loss."""

    def __init__(self, tf, clock, path):
        self.tf = tf
        self.clock = clock
        self.path = path
        self.said = []

    def run(self, make_hooks, steps=8, restore=False, advance=1, fail_after=None):
        tf, self.clock.now = self.tf, 100.0
        with tf.Graph().as_default():
            step = tf.train.get_or_create_global_step()
            variable = tf.get_variable("v", [], initializer=tf.zeros_initializer())
            loss = tf.identity(variable * 1.0, name="loss")
            tf.summary.scalar("L", loss)
            # One after the other, for TensorFlow has no order of its own.
            with tf.control_dependencies([loss]):
                first = tf.assign_add(variable, 1.0)
            with tf.control_dependencies([first, *hooks_reads(tf)]):
                train = tf.assign_add(step, advance)
            taken = 0
            directory_ = self.path if restore else None
            with tf.train.SingularMonitoredSession(make_hooks(self, loss), checkpoint_dir=directory_) as session:
                while not session.should_stop() and taken < steps:
                    session.run(train)
                    taken += 1
                    self.clock.now += 1.0
                    if taken == fail_after:
                        raise ValueError("failed in the body")
        return taken


def outcome(action):
    found = []
    failed = error(lambda: found.append(action()))
    return found[0] if found else failed


def trained(tf, make_hooks, **kwargs):
    """What a training loop logs and leaves behind."""
    clock = Clock()
    with directory() as path, clock.patched(tf), Log(tf, path) as log:
        training = Training(tf, clock, path)
        outcomes = []
        for _ in range(2 if kwargs.get("restore") else 1):
            outcomes.append(outcome(lambda: training.run(make_hooks, **kwargs)))
        tf.summary.FileWriterCache.clear()
        left = sorted(name for name in os.listdir(path) if not name.startswith("events"))
        state = []
        if "checkpoint" in left:
            with open(os.path.join(path, "checkpoint")) as file:
                state = [line.replace(path, "DIR") for line in file.read().splitlines() if "timestamp" not in line]
        kept = [line for line in log.lines if "local_init_op" not in line[1] and "finalized" not in line[1]]
        return {
            "taken": outcomes,
            "log": kept,
            "files": left,
            "state": state,
            "events": events(tf, path),
            "said": training.said,
        }


def add(name, make_hooks, **kwargs):
    hooks.add(name, lambda tf: plain(trained(tf, lambda training, loss: make_hooks(tf, training, loss), **kwargs)))


add("log_every_n_iter", lambda tf, t, loss: [t.clock.make(tf.train.LoggingTensorHook, ["loss:0"], every_n_iter=3)])
add("log_every_n_secs", lambda tf, t, loss: [
    t.clock.make(tf.train.LoggingTensorHook, {"L": loss}, every_n_secs=2.5, at_end=True)])  # fmt: skip
add("log_at_end", lambda tf, t, loss: [t.clock.make(tf.train.LoggingTensorHook, {"L": loss}, at_end=True)])
add("log_tensor", lambda tf, t, loss: [t.clock.make(tf.train.LoggingTensorHook, [loss], every_n_iter=5)])
add("log_formatted", lambda tf, t, loss: [
    t.clock.make(tf.train.LoggingTensorHook, {"L": loss}, every_n_iter=5,
                 formatter=lambda v: "is {:.1f}".format(v["L"]))])  # fmt: skip
add("stop_num_steps", lambda tf, t, loss: [tf.train.StopAtStepHook(num_steps=3)])
add("stop_last_step", lambda tf, t, loss: [tf.train.StopAtStepHook(last_step=5)])
add("stop_by_twos", lambda tf, t, loss: [tf.train.StopAtStepHook(last_step=5)], advance=2)
add("stop_at_0", lambda tf, t, loss: [tf.train.StopAtStepHook(last_step=0)])
add("count_steps", lambda tf, t, loss: [t.clock.make(tf.train.StepCounterHook, every_n_steps=2, output_dir=t.path)])
add("count_secs", lambda tf, t, loss: [
    t.clock.make(tf.train.StepCounterHook, every_n_steps=None, every_n_secs=3, output_dir=t.path)])  # fmt: skip
add("count_without_steps", lambda tf, t, loss: [t.clock.make(tf.train.StepCounterHook, every_n_steps=2)], advance=0)
add("nan_fails", lambda tf, t, loss: [tf.train.NanTensorHook(loss * float("nan"))])
add("nan_stops", lambda tf, t, loss: [tf.train.NanTensorHook(tf.log(3 - loss), fail_on_nan_loss=False)])
add("nan_of_a_vector", lambda tf, t, loss: [tf.train.NanTensorHook(tf.stack([loss, loss]))])
add("feed", lambda tf, t, loss: [
    tf.train.FeedFnHook(lambda: {loss: 7.0}), t.clock.make(tf.train.LoggingTensorHook, {"L": loss}, every_n_iter=100)],
    steps=1)  # fmt: skip
add("wait_for_nothing", lambda tf, t, loss: [tf.train.GlobalStepWaiterHook(0)], steps=1)


def _listener(tf, training, stop_at=None):
    class Listener(tf.train.CheckpointSaverListener):
        def begin(self):
            training.said.append("begin")

        def before_save(self, session, global_step_value):
            training.said.append(["before", int(global_step_value), float(session.run("v:0"))])

        def after_save(self, session, global_step_value):
            training.said.append(["after", int(global_step_value)])
            return stop_at is not None and global_step_value >= stop_at

        def end(self, session, global_step_value):
            training.said.append(["end", int(global_step_value)])

        def __repr__(self):
            return "a listener"

    return Listener()


def _saver(tf, t, **kwargs):
    return t.clock.make(tf.train.CheckpointSaverHook, t.path, **kwargs)


add("save_every_n_steps", lambda tf, t, loss: [_saver(tf, t, save_steps=3, listeners=[_listener(tf, t)])])
add("save_at_the_end_once", lambda tf, t, loss: [_saver(tf, t, save_steps=4)])
add("save_every_n_secs", lambda tf, t, loss: [_saver(tf, t, save_secs=2.5, checkpoint_basename="m")])
add(
    "save_before_a_failure",
    lambda tf, t, loss: [_saver(tf, t, save_steps=3, listeners=[_listener(tf, t)])],
    fail_after=5,
)
add("save_and_stop", lambda tf, t, loss: [
    _saver(tf, t, save_steps=3, listeners=[_listener(tf, t), _listener(tf, t, 4), _listener(tf, t)])])  # fmt: skip
add("save_and_resume", lambda tf, t, loss: [_saver(tf, t, save_steps=3)], steps=4, restore=True)
add("save_with_a_saver", lambda tf, t, loss: [_saver(tf, t, save_steps=2, saver=tf.train.Saver(max_to_keep=1))])
add("summaries_every_n_secs", lambda tf, t, loss: [
    t.clock.make(tf.train.SummarySaverHook, save_secs=2.5, output_dir=t.path,
                 summary_op=tf.summary.merge_all())])  # fmt: skip
add("summaries_every_n_steps", lambda tf, t, loss: [
    t.clock.make(tf.train.SummarySaverHook, save_steps=5, output_dir=t.path,
                 summary_op=[tf.summary.scalar("a", 1.0), tf.summary.scalar("b", 2.0)])])  # fmt: skip
add("summaries_without_a_writer", lambda tf, t, loss: [
    t.clock.make(tf.train.SummarySaverHook, save_steps=5, summary_op=tf.summary.merge_all())])  # fmt: skip
add("all_together", lambda tf, t, loss: [
    _saver(tf, t, save_steps=3),
    t.clock.make(tf.train.SummarySaverHook, save_steps=4, output_dir=t.path, summary_op=tf.summary.merge_all()),
    t.clock.make(tf.train.StepCounterHook, every_n_steps=3, output_dir=t.path)], steps=5)  # fmt: skip


@hooks
def timer(tf):
    clock = Clock()
    shown = []
    with clock.patched(tf):
        by_step = clock.make(tf.train.SecondOrStepTimer, every_steps=3)
        shown.append([by_step.should_trigger_for_step(i) for i in range(3)])
        shown.append([by_step.update_last_triggered_step(1), by_step.update_last_triggered_step(5)])
        shown.append([by_step.last_triggered_step(), [by_step.should_trigger_for_step(i) for i in (3, 5, 7, 8, 9)]])
        clock.now += 2
        shown.append(by_step.update_last_triggered_step(9))
        by_step.reset()
        shown.append([by_step.last_triggered_step(), by_step.should_trigger_for_step(9)])
        by_second = clock.make(tf.train.SecondOrStepTimer, every_secs=3.0)
        shown.append([by_second.should_trigger_for_step(0), by_second.update_last_triggered_step(0)])
        clock.now += 2.9
        shown.append(by_second.should_trigger_for_step(5))
        clock.now += 0.2
        shown.append([by_second.should_trigger_for_step(0), by_second.should_trigger_for_step(5)])
        always = clock.make(tf.train.SecondOrStepTimer, every_steps=0)
        always.update_last_triggered_step(1)
        shown.append([always.should_trigger_for_step(1), always.should_trigger_for_step(2)])
    return shown


@hooks
def bad_arguments(tf):
    train = tf.train
    return [
        error(lambda: train.SecondOrStepTimer()),
        error(lambda: train.SecondOrStepTimer(1, 2)),
        error(lambda: train.LoggingTensorHook(["a"])),
        error(lambda: train.LoggingTensorHook(["a"], every_n_iter=3, every_n_secs=4)),
        error(lambda: train.LoggingTensorHook(["a"], every_n_iter=0)),
        error(lambda: train.LoggingTensorHook(["a"], at_end=True)),
        error(lambda: train.StopAtStepHook()),
        error(lambda: train.StopAtStepHook(num_steps=1, last_step=2)),
        error(lambda: train.CheckpointSaverHook("x")),
        error(lambda: train.CheckpointSaverHook("x", save_secs=1, save_steps=1)),
        error(lambda: train.CheckpointSaverHook("x", save_steps=1, saver=1, scaffold=2)),
        error(lambda: train.StepCounterHook(every_n_steps=None)),
        error(lambda: train.StepCounterHook(every_n_secs=1)),
        error(lambda: train.SummarySaverHook(save_steps=1)),
        error(lambda: train.SummarySaverHook(save_steps=1, summary_op=1, scaffold=2)),
        error(lambda: train.SummarySaverHook(summary_op=1)),
        error(lambda: train.StopAtStepHook(last_step=3).begin()),
        error(lambda: train.StepCounterHook().begin()),
        error(lambda: train.SummarySaverHook(save_steps=1, summary_op=1).begin()),
        str(train.NanLossDuringTrainingError()),
    ]


@hooks
def final_ops(tf):
    clock = Clock()
    made = []

    def make(training, loss):
        made.append(tf.train.FinalOpsHook({"a": loss, "b": [loss]}))
        return made

    with directory() as path:
        Training(tf, clock, path).run(make)
    return plain(made[0].final_ops_values)


@hooks
def final_ops_at_the_end_of_input(tf):
    q = tf.FIFOQueue(3, [tf.float32], shapes=[[]], shared_name="q")
    hook = tf.train.FinalOpsHook(q.dequeue())
    with Log(tf) as log, tf.Session() as session:
        session.run(q.close())
        return [error(lambda: hook.end(session)), [line[0] for line in log.lines], hook.final_ops_values]


@hooks
def contexts(tf):
    values = tf.train.SessionRunValues(results=np.float32(1), options=None, run_metadata=3)
    args = tf.train.SessionRunArgs("x")
    context = tf.train.SessionRunContext(args, "session")
    before = context.stop_requested
    context.request_stop()
    return [list(args), list(values), context.original_args == args, context.session, before, context.stop_requested]
