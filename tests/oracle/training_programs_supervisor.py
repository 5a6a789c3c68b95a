"""Programs of supervisors; see `training_programs`."""

import functools
import os

from oracle.programs import Group, error
from oracle.training_programs import Log, directory, events, wait_until

supervisor = Group("supervisor")


def model(tf):
    """The operation that takes a step."""
    step = tf.train.get_or_create_global_step()
    tf.summary.scalar("weight", tf.get_variable("w", [], initializer=tf.constant_initializer(2.0)))
    return tf.assign_add(step, 1, name="train")


def quiet(tf, path=None, **kwargs):
    """A supervisor whose threads do nothing by themselves."""
    return tf.train.Supervisor(logdir=path, save_model_secs=0, save_summaries_secs=0, **kwargs)


def named(op):
    return getattr(op, "name", op)


@supervisor
def whole_life(tf):
    shown = []
    with directory() as path:
        for _ in range(2):
            with tf.Graph().as_default() as graph:
                train = model(tf)
                sv = quiet(tf, path, init_fn=lambda sess: shown.append("init_fn"))
                shown.append([graph.finalized, sv.should_stop(), sv.is_chief, sv.save_path.replace(path, "DIR")])
                with sv.managed_session() as sess:
                    for _ in range(3):
                        shown.append(sess.run(train))
                    sv.summary_computed(sess, sess.run(sv.summary_op))
                    sv.saver.save(sess, sv.save_path, global_step=sv.global_step)
                shown.append([sv.should_stop(), error(functools.partial(sess.run, train))[:1]])
                sv.summary_writer.close()
        shown.append(sorted(name for name in os.listdir(path) if not name.startswith("events")))
        written = [event for event in events(tf, path) if event[1] in ("summary", "session_log")]
        shown.append(written[-3:])  # of the second life, which may have come within the same second
    return shown


@supervisor
def what_it_finds_and_builds(tf):
    model(tf)
    sv = quiet(tf)
    built = [sv.init_op, sv.ready_op, sv.ready_for_local_init_op, sv.summary_op, sv.global_step]
    shown = [[named(op) for op in built], sv.save_path, sv.summary_writer, sv.init_feed_dict, type(sv.saver).__name__]
    shown += [sv.save_model_secs, sv.save_summaries_secs, type(sv.session_manager).__name__, type(sv.coord).__name__]
    with tf.Graph().as_default() as graph:
        mine = tf.no_op("mine")
        graph.add_to_collection(tf.GraphKeys.INIT_OP, mine)
        shown.append(named(quiet(tf).init_op))
    with tf.Graph().as_default():
        model(tf)
        sv = quiet(tf, ready_op=None, saver=None, summary_op=None, global_step=None, init_op=None)
        shown.append([sv.ready_op, sv.saver, sv.summary_op, sv.global_step, sv.init_op])
    return shown


@supervisor
def what_it_refuses(tf):
    model(tf)
    shown = [error(lambda: quiet(tf, is_chief=False))[:1]]
    sv = quiet(tf)
    with tf.Session() as sess, Log(tf) as log:
        shown.append(error(lambda: sv.summary_computed(sess, b"")))
        shown.append([sv.start_standard_services(sess), log.lines])
    with tf.Graph().as_default():
        sv = quiet(tf, is_chief=False)
        shown.append(error(lambda: sv.start_standard_services(None)))
    return shown


@supervisor
def errors(tf):
    train = model(tf)
    shown = []

    def ends(exception=None, in_thread=None, turn=None):
        sv = quiet(tf)

        def life():
            with sv.managed_session() as sess:
                sess.run(train)
                if turn is not None:
                    sv.loop(None, turn)
                    sv.wait_for_stop()
                if exception is not None:
                    raise exception

        shown.append([error(life), sv.should_stop()])

    def failing():
        raise ValueError("of the thread")

    def out_of_range():
        raise tf.errors.OutOfRangeError(None, None, "of the thread")

    ends()
    ends(ValueError("of the block"))
    ends(tf.errors.OutOfRangeError(None, None, "of the block"))
    ends(tf.errors.AbortedError(None, None, "of the block"))
    ends(StopIteration("of the block"))
    ends(turn=failing)
    ends(turn=out_of_range)
    ends(ValueError("of the block"), turn=failing)
    sv = quiet(tf)
    with sv.managed_session():
        with sv.stop_on_exception():
            pass
        sv.request_stop()
        shown.append(sv.should_stop())
    return shown


@supervisor
def queue_runners(tf):
    queue = tf.FIFOQueue(4, tf.int32, shapes=[[]])
    tf.train.add_queue_runner(tf.train.QueueRunner(queue, [queue.enqueue(7)] * 2))
    value = queue.dequeue()
    sv = quiet(tf)
    with sv.managed_session() as sess:
        shown = [sess.run(value) for _ in range(6)]
    with sv.managed_session(start_standard_services=False) as sess:
        threads = sv.start_queue_runners(sess)
        shown.append([len(threads), [thread.daemon for thread in threads], sess.run(value)])
    return [*shown, [thread.is_alive() for thread in threads]]


@supervisor
def standard_services(tf):
    train = model(tf)
    with directory() as path:
        sv = tf.train.Supervisor(logdir=path, save_model_secs=1000, save_summaries_secs=1000)
        with sv.managed_session() as sess:
            sess.run(train)
            wait_until(lambda: tf.train.latest_checkpoint(path))
            wait_until(lambda: sv.summary_writer.flush() or [e for e in events(tf, path) if e[1] == "summary"])
        # The threads come in any order.
        kinds = {event[1] for event in events(tf, path)}
        tags = {value[0] for event in events(tf, path) if event[1] == "summary" for value in event[2]}
        statuses = {event[2][0] for event in events(tf, path) if event[1] == "session_log"}
        saved = os.path.basename(tf.train.latest_checkpoint(path)).startswith("model.ckpt-")
        return [sorted(kinds), "weight" in tags, sorted(statuses), saved]


@supervisor
def train_loops(tf):
    train = model(tf)
    shown = []
    with directory() as path:
        sv = quiet(tf, path)

        def step(sess, limit, name=None):
            found = sess.run(train)
            shown.append([found, name])
            if found == 2 and len(shown) == 2:
                sv.saver.save(sess, sv.save_path, global_step=sv.global_step)
            if len(shown) == 3:
                raise tf.errors.AbortedError(None, None, "lost")
            if found == limit:
                sv.request_stop()

        tf.train.basic_train_loop(sv, step, args=(5,), kwargs={"name": "x"})
    sv = quiet(tf)

    def failing(sess):
        raise ValueError("no")

    return [shown, error(lambda: tf.train.basic_train_loop(sv, failing))]
