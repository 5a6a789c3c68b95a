"""Programs of coordinators and queue runners; see `training_programs`."""

import sys
import threading

from oracle.programs import Group, error, names
from oracle.training_programs import Log, wait_until

coordinator = Group("coordinator")
queue_runner = Group("queue_runner")


def raised(coord, exception):
    """Requests a stop as programs do: from where the exception is handled."""
    try:
        raise exception
    except BaseException as e:
        coord.request_stop(e)


@coordinator
def requests(tf):
    end = tf.errors.OutOfRangeError(None, None, "the end")
    shown = []
    with Log(tf) as log:
        c = tf.train.Coordinator()
        raised(c, ValueError("a"))
        raised(c, TypeError("b"))
        shown.append([c.should_stop(), c.joined, error(c.join), c.joined, error(c.raise_requested_exception)])
        c = tf.train.Coordinator()
        raised(c, end)
        shown.append([error(c.join), c.joined, c.should_stop()])
        c = tf.train.Coordinator(clean_stop_exception_types=(KeyError,))
        raised(c, KeyError("x"))
        shown.append(error(c.join))
        c = tf.train.Coordinator(clean_stop_exception_types=(KeyError,))
        raised(c, end)
        shown.append(error(c.join))
        c = tf.train.Coordinator()
        c.join()
        shown.append([error(lambda: raised(c, ValueError("late"))), error(c.join)])
        c = tf.train.Coordinator()
        c.join()
        c.request_stop()
        shown.append(c.should_stop())
        c = tf.train.Coordinator()
        c.request_stop()
        raised(c, ValueError("after"))
        shown.append(error(c.join))
        c = tf.train.Coordinator()
        raised(c, ValueError("a"))
        c.clear_stop()
        shown.append([c.should_stop(), c.joined, error(c.raise_requested_exception), error(c.join)])
        c = tf.train.Coordinator()
        try:
            raise ValueError("info")
        except ValueError:
            c.request_stop(sys.exc_info())
        shown.append(error(c.join))
        c = tf.train.Coordinator()
        shown.append([c.wait_for_stop(0.001), c.request_stop(), c.wait_for_stop()])
    return [shown, [level for level, text in log.lines if "Error reported to Coordinator" in text]]


@coordinator
def threads(tf):
    shown = []

    def failing(c):
        with c.stop_on_exception():
            raise KeyError("k")

    def waiting(c):
        c.wait_for_stop()

    c = tf.train.Coordinator()
    members = [threading.Thread(target=failing, args=(c,)), threading.Thread(target=waiting, args=(c,))]
    for member in members:
        c.register_thread(member)
        member.start()
    shown.append([error(c.join), [member.is_alive() for member in members]])
    go_on = threading.Event()
    for ignore, exception in ((False, None), (True, None), (False, ValueError("real"))):
        c = tf.train.Coordinator()
        stubborn = threading.Thread(target=go_on.wait, name="stubborn", daemon=True)
        stubborn.start()
        if exception is None:
            c.request_stop()
        else:
            raised(c, exception)
        shown.append(error(lambda: c.join([stubborn], stop_grace_period_secs=0, ignore_live_threads=ignore)))  # noqa: B023
        shown.append(c.joined)
    go_on.set()
    return shown


@coordinator
def swallowed(tf):
    shown = []
    for exception in (
        ValueError("v"),
        SystemExit(3),
        KeyboardInterrupt(),
        tf.errors.OutOfRangeError(None, None, "the end"),
    ):
        c = tf.train.Coordinator()
        with c.stop_on_exception():
            raise exception
        shown.append(c.should_stop())
    return [shown, error(c.join)]


@coordinator
def loopers(tf):
    shown = []

    class Looper(tf.train.LooperThread):
        def start_loop(self):
            shown.append("start")

        def run_loop(self):
            shown.append("run")
            if shown.count("run") == 3:
                raise ValueError("third")

        def stop_loop(self):
            shown.append("stop")

    c = tf.train.Coordinator()
    looper = Looper(c, 0.0)
    looper.start()
    shown.append([error(lambda: c.join([looper])), looper.daemon])
    c = tf.train.Coordinator()

    def turn(x, y):
        shown.append([x, y])
        if len(shown) > 8:
            c.request_stop()

    tf.train.LooperThread.loop(c, None, target=turn, args=(1,), kwargs={"y": 2})
    shown.append(error(c.join))
    c = tf.train.Coordinator()
    c.request_stop()
    looper = Looper(c, 1000)
    looper.start()
    looper.join()
    shown.append(error(lambda: tf.train.LooperThread(3, None)))
    shown.append(error(lambda: tf.train.LooperThread(c, None, args=(1,))))
    return shown


@queue_runner
def bad_arguments(tf):
    q = tf.FIFOQueue(3, tf.int32, shapes=[[]])
    return [
        error(lambda: tf.train.QueueRunner()),
        error(lambda: tf.train.QueueRunner(q)),
        error(lambda: tf.train.QueueRunner(q, [])),
        error(lambda: tf.train.QueueRunner(q, [q.enqueue(1)], queue_closed_exception_types=3)),
        error(lambda: tf.train.start_queue_runners()),
        error(lambda: tf.train.start_queue_runners(3)),
    ]


@queue_runner
def life(tf):
    shown = []
    counter = tf.Variable(0, name="counter")
    q = tf.FIFOQueue(30, tf.int32, shapes=[[]], name="q", shared_name="q")
    runner = tf.train.QueueRunner(q, [q.enqueue(tf.count_up_to(counter, 3))])
    tf.train.add_queue_runner(runner)
    dequeue = q.dequeue()
    shown.append(
        [runner.name, runner.close_op.name, runner.cancel_op.name, names(runner.enqueue_ops), runner.queue is q]
    )
    with tf.Session() as session:
        session.run(counter.initializer)
        coord = tf.train.Coordinator()
        threads_ = tf.train.start_queue_runners(session, coord)
        shown.append([[t.name, t.daemon] for t in threads_])
        shown.append([session.run(dequeue) for _ in range(3)])
        shown.append(error(lambda: session.run(dequeue)))
        coord.request_stop()
        coord.join()
        shown.append([t.is_alive() for t in threads_])
        shown.append([len(runner.create_threads(session, coord)), runner.exceptions_raised])
        shown.append(runner.create_threads(session, coord))
    return shown


@queue_runner
def stopped_while_full(tf):
    q = tf.FIFOQueue(3, tf.int32, shapes=[[]])
    runner = tf.train.QueueRunner(q, [q.enqueue(1)] * 2)
    size, is_closed = q.size(), q.is_closed()
    with tf.Session() as session:
        coord = tf.train.Coordinator()
        threads_ = runner.create_threads(session, coord, start=True)
        wait_until(lambda: session.run(size) == 3)
        coord.request_stop()
        coord.join(threads_)
        return [session.run(is_closed), session.run(size), [t.is_alive() for t in threads_]]


@queue_runner
def failing(tf):
    def fail():
        raise ArithmeticError("no")

    q = tf.FIFOQueue(3, tf.int32, shapes=[[]], shared_name="q")
    value = tf.py_func(fail, [], tf.int32)
    value.set_shape([])
    runner = tf.train.QueueRunner(q, [q.enqueue(value)])
    dequeue = q.dequeue()
    with tf.Session() as session:
        coord = tf.train.Coordinator()
        threads_ = runner.create_threads(session, coord, daemon=True, start=True)
        joined = error(lambda: coord.join(threads_))
        return [joined, runner.exceptions_raised, error(lambda: session.run(dequeue))]
