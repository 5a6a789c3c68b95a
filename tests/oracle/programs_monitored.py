"""Programs on the life of a monitored session: what its hooks see, what is merged, and when it stops."""

from oracle.programs import Group, error

case = Group("monitored")


def counter(tf):
    """The global step's update."""
    return tf.assign_add(tf.train.get_or_create_global_step(), 1)


def shown(value):
    """A result without its NumPy types."""
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    return value.tolist() if hasattr(value, "tolist") else value


def hook(tf, log, name="hook", **methods):
    """A hook that writes down its calls; `methods` are what else they do."""

    class Hook(tf.train.SessionRunHook):
        def note(self, method, *args):
            log.append(f"{name}.{method}")
            return methods[method](*args) if method in methods else None

        def begin(self):
            return self.note("begin")

        def after_create_session(self, session, coord):
            return self.note("after_create_session", session, coord)

        def before_run(self, context):
            return self.note("before_run", context)

        def after_run(self, context, values):
            return self.note("after_run", context, values)

        def end(self, session):
            return self.note("end", session)

    return Hook()


def loop(session, step, limit=10):
    """Steps until it should stop; what they returned."""
    found = []
    while not session.should_stop() and len(found) < limit:
        found.append(shown(session.run(step)))
    return found


def sessions(tf):
    """Both classes of session, as functions of hooks."""
    return [
        lambda hooks: tf.train.SingularMonitoredSession(hooks=hooks),
        lambda hooks: tf.train.MonitoredSession(hooks=hooks),
    ]


@case
def stopping_from_a_hook(tf):
    step = counter(tf)
    found = []
    for make in sessions(tf):
        for method in ("before_run", "after_run"):
            log = []

            def stop(context, *values, log=log):
                if len(log) > 8:
                    context.request_stop()

            with make([hook(tf, log, "first"), hook(tf, log, "stops", **{method: stop})]) as session:
                steps = loop(session, step)
                after = [session.should_stop(), error(lambda s=session: s.run(step))]
            found.append([steps, log, after, session.should_stop()])
    return found


@case
def stopping_by_the_coordinator(tf):
    step = counter(tf)
    found = []
    for make in sessions(tf):
        log, coordinators = [], []
        with make([hook(tf, log, after_create_session=lambda s, c, to=coordinators: to.append(c))]) as session:
            session.run(step)
            coordinators[0].request_stop()
            stopped = session.should_stop()
            again = shown(session.run(step))
        found.append([stopped, again, log])
    return found


@case
def stopping_after_creation(tf):
    step = counter(tf)
    found = []
    for make in sessions(tf):
        log = []
        with make([hook(tf, log, after_create_session=lambda s, c: c.request_stop())]) as session:
            found.append([loop(session, step), log])
    return found


@case
def what_hooks_see(tf):
    x = tf.placeholder(tf.float32, [], name="x")
    y, z = x * 2.0, tf.constant([1, 2])
    log, seen = [], []

    def before(context):
        fetches, feeds = context.original_args.fetches, context.original_args.feed_dict
        seen.append([fetches is asked, feeds == {x: 1.0}, context.original_args.options is None])
        seen.append([type(context.session).__name__, context.stop_requested, context.session is raws[0]])
        return tf.train.SessionRunArgs({"y": y, "z": [z, z.op]})

    def after(context, values):
        seen.append([shown(values.results), values.options is None, values.run_metadata is None])

    raws, asked = [], [y, {"x": x}]
    hooks = [
        hook(tf, log, "sees", before_run=before, after_run=after),
        hook(tf, log, "asks nothing", after_run=lambda c, v: seen.append(shown(v.results))),
        hook(tf, log, "asks for none", before_run=lambda c: tf.train.SessionRunArgs(None),
             after_run=lambda c, v: seen.append(shown(v.results))),
    ]  # fmt: skip
    with tf.train.SingularMonitoredSession(hooks=hooks) as session:
        raws.append(session.raw_session())
        found = shown(session.run(asked, {x: 1.0}))
    return [found, seen]


@case
def feeds_from_hooks(tf):
    x, y = tf.placeholder(tf.float32, [], name="x"), tf.placeholder(tf.float32, [], name="y")
    total = x + 10.0 * y
    args = tf.train.SessionRunArgs
    found = []
    for feeds, mine in [
        ([{x: 1.0}, {y: 2.0}], None), ([{x: 1.0}], {y: 2.0}), ([{x: 1.0}, {x: 2.0}], {y: 1.0}),
        ([{x: 1.0}], {x: 1.0, y: 2.0}), ([{}, None], {x: 1.0, y: 2.0}), ([{x: 1.0}], {"y:0": 2.0}), ([{x: 1.0}], None),
    ]:  # fmt: skip
        hooks = [hook(tf, [], before_run=lambda c, f=feed: args(None, feed_dict=f)) for feed in feeds]
        with tf.train.SingularMonitoredSession(hooks=hooks) as session:
            try:
                found.append(shown(session.run(total, mine)))
            except Exception as e:
                found.append([type(e).__name__, str(e).splitlines()[0]])
    return found


@case
def merged_options(tf):
    x = tf.constant(1.0)
    options = tf.RunOptions
    seen = []
    wanted = [options(timeout_in_ms=90000), options(trace_level=options.SOFTWARE_TRACE, timeout_in_ms=50)]

    def after(context, values):
        seen.append([values.options is None, values.run_metadata is None])
        if values.options is not None:
            seen.append([values.options.timeout_in_ms, values.options.trace_level])

    hooks = [
        hook(tf, [], before_run=lambda c, o=o: tf.train.SessionRunArgs(x, options=o), after_run=after) for o in wanted
    ]
    with tf.train.SingularMonitoredSession(hooks=hooks) as session:
        found = [shown(session.run(x)), shown(session.run(x, options=options(timeout_in_ms=100000)))]
        metadata = tf.RunMetadata()
        found.append(shown(session.run(x, run_metadata=metadata)))
    return [found, seen, [o.timeout_in_ms for o in wanted]]


@case
def step_functions(tf):
    x = tf.placeholder(tf.float32, [], name="x")
    step = counter(tf)
    found = []
    for make in sessions(tf):
        log = []

        def twice(step_context):
            first = step_context.session.run(step)
            return shown([first, step_context.run_with_hooks(step), step_context.run_with_hooks(x, feed_dict={x: 4.0})])

        def stop(step_context):
            step_context.request_stop()

        def no_argument():
            pass

        def another_name(context):
            pass

        def two(step_context, more):
            pass

        def with_default(step_context, more=1):
            return "ran"

        class Owner:
            def method(self, step_context):
                return shown(step_context.run_with_hooks(step))

        with make([hook(tf, log)]) as session:
            found.append([session.run_step_fn(twice), list(log)])
            found.append(session.run_step_fn(Owner().method))
            found.append(session.run_step_fn(lambda step_context: None))
            for bad in (no_argument, another_name, two, with_default, 5):
                found.append(error(lambda s=session, b=bad: s.run_step_fn(b))[:1])
            found.append(error(lambda s=session: s.run_step_fn(stop))[:1])
            found.append([session.should_stop(), shown(session.run(step))])
        del log[:]
        with make([hook(tf, log)]) as session:
            while not session.should_stop():
                session.run_step_fn(stop)
        found.append(list(log))
    return found


@case
def after_the_end(tf):
    step = counter(tf)
    found = []
    for make in sessions(tf):
        session = make([])
        session.run(step)
        session.close()
        found.append([session.should_stop(), session.graph is None, error(session.close)])

        def enter(s=session):
            with s:
                pass

        found.append(error(enter))
    session = tf.train.SingularMonitoredSession()
    session.close()
    return [*found, session.raw_session() is None, tf.get_default_graph().finalized]


@case
def closing_within_the_block(tf):
    step = counter(tf)
    found = []
    for make in sessions(tf):
        log = []

        def block(make=make, log=log):
            with make([hook(tf, log)]) as session:
                session.run(step)
                session.close()
                log.append("closed within")

        found.append([error(block), log])
    return found


@case
def the_same_graph_again(tf):
    v = tf.get_variable("v", initializer=1.0)
    step = counter(tf)
    found = []
    for _ in range(2):
        add = v.assign_add(2.0)
        with tf.train.SingularMonitoredSession() as session:
            found.append([shown(session.run([add, step])), tf.get_default_graph().finalized])
    graph = tf.get_default_graph()
    keys = ["INIT_OP", "LOCAL_INIT_OP", "READY_OP", "READY_FOR_LOCAL_INIT_OP", "SAVERS", "SUMMARY_OP"]
    return [found, {key: len(graph.get_collection(getattr(tf.GraphKeys, key))) for key in keys}, graph.finalized]


@case
def one_hook_twice(tf):
    step = counter(tf)
    log = []
    one = hook(tf, log)
    with tf.train.SingularMonitoredSession(hooks=[one, one]) as session:
        session.run(step)
    return log


@case
def runs_within_hooks(tf):
    v = tf.get_variable("v", initializer=1.0)
    double, add = v.assign(v * 2.0), v.assign_add(1.0)
    log, seen = [], []
    hooks = [
        hook(tf, log, after_create_session=lambda s, c: seen.append(shown(s.run(double))),
             before_run=lambda c: seen.append(shown(c.session.run(double))),
             after_run=lambda c, values: seen.append(shown(c.session.run(double))),
             end=lambda s: seen.append(shown(s.run(v)))),
    ]  # fmt: skip
    with tf.train.SingularMonitoredSession(hooks=hooks) as session:
        found = shown(session.run(add))
    return [found, seen, log]


@case
def hooks_that_build(tf):
    v = tf.get_variable("v", initializer=3.0)
    made = {}

    def build():
        made["w"] = tf.get_variable("w", initializer=4.0)
        made["sum"] = v + made["w"]

    log, seen = [], []
    builder = hook(tf, log, begin=build, before_run=lambda c: tf.train.SessionRunArgs(made["sum"]),
                   after_run=lambda c, values: seen.append(shown(values.results)))  # fmt: skip
    with tf.train.SingularMonitoredSession(hooks=[builder]) as session:
        found = shown(session.run(v))
        late = error(lambda: tf.constant(1.0))
    return [found, seen, late[:1]]


@case
def creators(tf):
    v = tf.get_variable("v", initializer=1.0)
    step = counter(tf)
    found = []

    class Creator(tf.train.SessionCreator):
        def __init__(self):
            self.made = 0

        def create_session(self):
            self.made += 1
            session = tf.Session()
            session.run(tf.get_default_graph().get_operation_by_name("init"))
            return session

    tf.group(tf.global_variables_initializer(), name="init_all")
    creator = Creator()
    log = []
    with tf.train.MonitoredSession(creator, [hook(tf, log)]) as session:
        found.append([shown(session.run([v, step])), tf.get_default_graph().finalized])
    return [found, creator.made, log]


@case
def a_new_session_begins_not_stopped(tf):
    step = counter(tf)
    log = []

    def lose(context, values):
        if len(log) == 6:
            context.request_stop()
            raise tf.errors.AbortedError(None, None, "lost")

    found = []
    with tf.train.MonitoredSession(hooks=[hook(tf, log, after_run=lose)]) as session:
        found = loop(session, step, 6)
    return [found, log]
