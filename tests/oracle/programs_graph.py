"""Programs on graphs: names, scopes, collections, control dependencies, lookup, finalizing and what errors say."""

import threading

from oracle.programs import Group, error, names

case = Group("graph")


def op(tf, name=None):
    """The name of a new operation."""
    return tf.no_op(name=name).name


# -- default graphs --------------------------------------------------------------------------------------------


@case
def default_graph_stack(tf):
    inner = tf.Graph()
    found = [tf.get_default_graph() is inner]
    with inner.as_default() as given:
        found += [given is inner, tf.get_default_graph() is inner]
        with tf.Graph().as_default() as innermost:
            found += [tf.get_default_graph() is innermost, tf.constant(1).graph is innermost]
        found.append(tf.get_default_graph() is inner)
        try:
            with tf.Graph().as_default():
                raise KeyError
        except KeyError:
            found.append(tf.get_default_graph() is inner)
    return [*found, tf.get_default_graph() is inner]


@case
def reset_within_a_graph(tf):
    return error(tf.reset_default_graph)


@case
def a_thread_has_its_own_default_graph(tf):
    found = []
    here = tf.get_default_graph()

    def look():
        found.append(tf.get_default_graph() is here)
        with here.as_default():
            found.append(tf.get_default_graph() is here)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    return found


@case
def graph_properties(tf):
    graph = tf.get_default_graph()
    found = [graph.finalized, graph.version, graph.seed, graph.building_function]
    tf.constant(1)
    tf.set_random_seed(7)
    return [*found, graph.version, graph.seed]


# -- names -----------------------------------------------------------------------------------------------------


@case
def unique_names(tf):
    wanted = ["a", "a", "A", "a_1", "a", "a_1", "b_1", "b", "b", "b", "B_1", "c", "c/d", "c", "c/d", "C/D"]
    return [op(tf, name) for name in wanted]


@case
def default_names(tf):
    made = [tf.constant(1), tf.constant(2.0), tf.placeholder(tf.int32), tf.placeholder(tf.int32), tf.identity(3)]
    made += [made[1] + 1.0, made[1] + made[1], made[1] * made[1], -made[1], tf.matmul([[1.0]], [[2.0]])]
    return [t.name for t in made]


@case
def name_scopes(tf):
    found = []
    with tf.name_scope("outer") as outer:
        found += [outer, op(tf, "x")]
        with tf.name_scope("inner") as inner:
            found += [inner, op(tf, "x"), op(tf, "x"), op(tf)]
        with tf.name_scope("inner") as again:
            found += [again, op(tf, "x")]
        with tf.name_scope(inner) as entered:
            found += [entered, op(tf, "x"), op(tf, "new")]
        with tf.name_scope(None) as root:
            found += [root, op(tf, "x")]
        with tf.name_scope("") as root:
            found += [root, op(tf, "x")]
            with tf.name_scope("inner") as at_root:
                found += [at_root, op(tf, "x")]
        found.append(tf.get_default_graph().get_name_scope())
    with tf.name_scope("outer") as outer:
        found += [outer, op(tf, "x")]
    with tf.name_scope("outer/") as outer:
        found += [outer, op(tf, "x")]
    with tf.name_scope("a/b/c") as deep:
        found += [deep, op(tf, "x")]
    found.append(tf.get_default_graph().get_name_scope())
    return found


@case
def scopes_and_operations_share_names(tf):
    found = [op(tf, "x")]
    with tf.name_scope("x") as scope:
        found += [scope, op(tf, "x")]
    found += [op(tf, "x"), op(tf, "x_1"), op(tf, "x/x"), op(tf, "scope/")]
    with tf.name_scope("y"):
        pass
    with tf.name_scope("Y") as scope:
        found += [scope, op(tf, "y")]
    return [*found, op(tf, "y")]


@case
def name_scope_arguments(tf):
    found = []
    with tf.name_scope(None, "default", [tf.constant(1)]) as scope:
        found.append(scope)
    with tf.name_scope(None, default_name="default") as scope:
        found.append(scope)
    with tf.name_scope("named", "default") as scope:
        found.append(scope)
    with tf.get_default_graph().name_scope("of_the_graph") as scope:
        found.append(scope)

    def enter(*args, **kwargs):
        with tf.name_scope(*args, **kwargs):
            pass

    return [
        *found,
        error(lambda: enter(None, None, [tf.constant(1)])),
        error(lambda: enter("a b")),
        error(lambda: enter("_a")),
        error(lambda: enter("a", 7)),
        error(lambda: enter("a:0")),
    ]


@case
def a_nested_scope_may_begin_with_an_underscore(tf):
    with tf.name_scope("a"), tf.name_scope("_b") as scope:
        return [scope, op(tf, "_c")]


@case
def names_that_are_not_valid(tf):
    return [error(lambda n=name: op(tf, n)) for name in ("_a", "a b", "a:0", "-a", "a#", ".a", "a/b.c-d_e", "1")]


@case
def unique_name(tf):
    graph = tf.get_default_graph()
    found = [graph.unique_name("n", mark_as_used=False), graph.unique_name("n", mark_as_used=False)]
    found += [graph.unique_name("n"), graph.unique_name("n", mark_as_used=False), graph.unique_name("n")]
    with tf.name_scope("s"):
        found += [graph.unique_name("n"), graph.unique_name("n")]
    return [*found, op(tf, "n")]


@case
def many_of_one_name(tf):
    made = [op(tf, "x") for _ in range(12)]
    return [*made, op(tf, "x_5"), op(tf, "x_20"), op(tf, "x_1_1"), op(tf, "x_1")]


# -- collections -----------------------------------------------------------------------------------------------


@case
def collections_of_anything(tf):
    graph = tf.get_default_graph()
    graph.add_to_collection("c", 1)
    graph.add_to_collection("c", 1)
    tf.add_to_collection("c", "two")
    copy = graph.get_collection("c")
    copy.append(3)
    found = [graph.get_collection("c"), tf.get_collection("c"), graph.get_collection("none")]
    graph.get_collection_ref("c").append(4)
    found += [graph.get_collection("c"), sorted(graph.get_all_collection_keys())]
    graph.get_collection_ref("made")
    found.append(sorted(graph.get_all_collection_keys()))
    graph.clear_collection("c")
    graph.clear_collection("never was")
    found += [graph.get_collection("c"), sorted(graph.get_all_collection_keys()), sorted(graph.collections)]
    graph.add_to_collection(("a", "tuple"), 1)
    return [*found, sorted(graph.get_all_collection_keys()), len(graph.collections)]


@case
def adding_to_several_collections(tf):
    graph = tf.get_default_graph()
    graph.add_to_collections(["a", "b", "a"], 1)
    graph.add_to_collections("word", 2)
    graph.add_to_collections(("a",), 3)
    tf.add_to_collections(["b"], 4)
    return {name: graph.get_collection(name) for name in ("a", "b", "word", "w")}


@case
def collections_by_scope(tf):
    graph = tf.get_default_graph()
    for name in ("a/x", "a/y", "ab/z", "b/a/x"):
        tf.add_to_collection("c", tf.no_op(name=name))
    tf.add_to_collection("c", 5)
    scopes = ["a", "a/", ".*a/", "x", "", "b/.*/x", "a/x|b"]
    return [names(graph.get_collection("c", scope)) for scope in scopes]


@case
def collections_that_variables_go_to(tf):
    keys = tf.GraphKeys
    tf.get_variable("a", [1])
    tf.get_variable("b", [1], trainable=False)
    tf.get_variable("c", [1], collections=[keys.LOCAL_VARIABLES])
    tf.train.get_or_create_global_step()
    wanted = [keys.GLOBAL_VARIABLES, keys.TRAINABLE_VARIABLES, keys.LOCAL_VARIABLES, keys.GLOBAL_STEP]
    return {key: names(tf.get_collection(key)) for key in wanted}


@case
def graph_keys(tf):
    keys = tf.GraphKeys
    found = {k: v for k, v in vars(keys).items() if isinstance(v, str) and k[0] != "_"}
    return {**found, "VARIABLES": keys.VARIABLES}


# -- control dependencies --------------------------------------------------------------------------------------


def waits(operation):
    """The names of what an operation waits for."""
    return [control.name for control in getattr(operation, "op", operation).control_inputs]


@case
def control_dependencies(tf):
    a, b, c = tf.no_op("a"), tf.constant(1.0, name="b"), tf.no_op("c")
    v = tf.get_variable("v", initializer=1.0)
    found = []
    with tf.control_dependencies([a, b]):
        found.append(waits(tf.no_op()))
        with tf.control_dependencies([c]):
            found.append(waits(tf.no_op()))
            with tf.control_dependencies(None):
                found.append(waits(tf.no_op()))
                with tf.control_dependencies([c]):
                    found.append(waits(tf.no_op()))
            found.append(waits(tf.no_op()))
        inside = tf.identity(b)
        found += [waits(inside), waits(tf.identity(inside)), waits(tf.no_op())]
    with tf.control_dependencies([]):
        found.append(waits(tf.no_op()))
    with tf.get_default_graph().control_dependencies([v]):
        found.append(waits(tf.no_op()))
    with tf.control_dependencies([a, a, b, b.op]):
        found.append(waits(tf.no_op()))
    with tf.control_dependencies(["a", "b:0"]):
        found.append(waits(tf.no_op()))
    return found


@case
def control_dependencies_that_are_not_valid(tf):
    with tf.Graph().as_default():
        other = tf.no_op("other")

    def enter(inputs):
        with tf.control_dependencies(inputs):
            pass

    return [error(lambda: enter([other])), error(lambda: enter([5])), error(lambda: enter(["missing"]))]


@case
def what_waits_is_not_run_for_itself_alone(tf):
    first = tf.no_op("first")
    with tf.control_dependencies([first]):
        group = tf.group(tf.constant(1, name="x"), tf.no_op("y"), name="both")
    return [waits(group), group.type]


# -- finalizing ------------------------------------------------------------------------------------------------


@case
def a_finalized_graph(tf):
    graph = tf.get_default_graph()
    v = tf.get_variable("v", initializer=1.0)
    x = tf.constant(1.0, name="x")
    graph.finalize()
    graph.finalize()
    with tf.name_scope("scopes_are_no_change"):
        pass
    return [
        graph.finalized,
        error(lambda: tf.constant(2.0)),
        error(lambda: x + 1.0),
        error(lambda: v.assign(2.0)),
        error(lambda: graph.add_to_collection("c", 1)),
        error(lambda: graph.add_to_collections(["c"], 1)),
        error(lambda: graph.clear_collection("c")),
        error(lambda: tf.get_variable("w", [1])),
        error(lambda: tf.global_variables_initializer()),
        graph.get_collection("c"),
        [o.name for o in graph.get_operations() if not o.name.startswith("v")],
    ]


# -- looking up ------------------------------------------------------------------------------------------------


@case
def looking_up_by_name(tf):
    graph = tf.get_default_graph()
    with tf.name_scope("s"):
        x = tf.constant(1.0, name="x")
        both = tf.split([1, 2], 2, name="both")
    found = [
        graph.get_tensor_by_name("s/x:0") is x,
        graph.get_operation_by_name("s/x") is x.op,
        graph.get_tensor_by_name("s/both:1") is both[1],
        graph.as_graph_element("s/x:0") is x,
        graph.as_graph_element("s/x") is x.op,
        graph.as_graph_element(x) is x,
        graph.as_graph_element(x.op) is x.op,
    ]
    for name in ("s/x", "y:0", "s/x:1", "s/x:", "s/x:a", "s/x:0:0", ":0", "", "s/x:-1"):
        found.append([name, error(lambda n=name: graph.get_tensor_by_name(n))])
    for name in ("s/x:0", "y", "", "s"):
        found.append([name, error(lambda n=name: graph.get_operation_by_name(n))])
    for thing in (5, None, 1.5, b"s/x", ["s/x"]):
        found.append(error(lambda t=thing: graph.as_graph_element(t)))
        found.append(error(lambda t=thing: graph.get_tensor_by_name(t)))
        found.append(error(lambda t=thing: graph.get_operation_by_name(t)))
    return found


@case
def looking_up_what_is_allowed(tf):
    graph = tf.get_default_graph()
    x = tf.constant(1.0, name="x")
    v = tf.get_variable("v", initializer=1.0)
    calls = [
        lambda: graph.as_graph_element(x, allow_tensor=False),
        lambda: graph.as_graph_element(x.op, allow_operation=False),
        lambda: graph.as_graph_element("x:0", allow_tensor=False),
        lambda: graph.as_graph_element("x", allow_operation=False),
        lambda: graph.as_graph_element(x, allow_tensor=False, allow_operation=False),
    ]
    return [*[error(call) for call in calls], graph.as_graph_element(v).name]


@case
def looking_up_in_another_graph(tf):
    x = tf.constant(1.0, name="x")
    other = tf.Graph()
    return [error(lambda: other.as_graph_element(x)), error(lambda: other.as_graph_element(x.op))]


@case
def operations_in_order(tf):
    graph = tf.get_default_graph()
    for name in ("c", "a", "b"):
        tf.no_op(name=name)
    listed = graph.get_operations()
    listed.append(5)
    return [o.name for o in graph.get_operations()]


@case
def mixing_graphs(tf):
    x = tf.constant(1.0, name="x")
    with tf.Graph().as_default():
        y = tf.constant(1.0, name="y")
    with tf.Graph().as_default():
        z = tf.constant(1.0, name="z")
        return [error(lambda: x + y)[0], error(lambda: tf.add_n([x, y]))[0], error(lambda: tf.identity(x))[0], z.name]


# -- operations and tensors ------------------------------------------------------------------------------------


@case
def operations(tf):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    y = tf.matmul(x, x, transpose_b=True, name="y")
    tf.identity(y, name="z")
    o = y.op
    return [
        o.name, o.type, [t.name for t in o.inputs], [t.name for t in o.outputs], o.control_inputs, o.device,
        o.get_attr("transpose_b"), o.get_attr("transpose_a"), o.get_attr("T") == tf.float32,
        [c.name for c in y.consumers()], [c.name for c in x.consumers()], y.value_index, y.op is o, y.graph is o.graph,
        [t.name for t in o.values()], o.node_def.op, list(o.node_def.input), error(lambda: o.get_attr("none")),
        o.colocation_groups(), repr(o), o.op_def.name,
    ]  # fmt: skip


@case
def tensors_as_text(tf):
    made = [
        tf.placeholder(tf.float32, [None, 3], name="x"),
        tf.placeholder(tf.int64, name="unknown"),
        tf.constant("s", name="text"),
        tf.constant([[1, 2]], name="numbers"),
    ]
    return [[str(t), repr(t), str(t.shape), str(t.get_shape()), t.name, t.dtype.name] for t in made]


@case
def tensors_are_compared_by_identity(tf):
    x, y = tf.constant(1.0), tf.constant(1.0)
    return [x == x, x == y, x != y, x == 1.0, len({x, y, x}), x in [y], {x: 1}.get(x)]


@case
def tensors_are_no_values(tf):
    x, vector = tf.constant(1.0, name="x"), tf.constant([1.0, 2.0], name="vector")
    unknown = tf.placeholder(tf.float32, name="unknown")
    return [
        error(lambda: bool(x)),
        error(lambda: 5 if x > 0 else 6),
        error(lambda: list(x)),
        error(lambda: list(unknown)),
        error(lambda: list(tf.placeholder(tf.float32, [None]))),
        error(lambda: len(vector))[0],
        error(lambda: float(x))[0],
        error(lambda: range(x))[0],
    ]


@case
def set_shape(tf):
    x = tf.placeholder(tf.float32, name="x")
    x.set_shape([None, 3])
    found = [x.shape.as_list()]
    x.set_shape([2, None])
    found.append(x.shape.as_list())
    return [*found, error(lambda: x.set_shape([3, 3])), error(lambda: x.set_shape([2])), x.shape.as_list()]


@case
def evaluating_without_a_session(tf):
    x = tf.constant(1.0, name="x")
    o = tf.no_op("o")
    with tf.Graph().as_default(), tf.Session() as other:
        tf.constant(1.0)
        with_another = [error(lambda: x.eval()), error(lambda: x.eval(session=other)), error(lambda: o.run())]
    return [error(lambda: x.eval()), error(lambda: o.run()), *with_another]


@case
def devices(tf):
    graph = tf.get_default_graph()
    found = [tf.no_op().device]
    with tf.device("/cpu:0"):
        x = tf.constant(1.0, name="x")
        found.append(x.device)
        with tf.device(None):
            found.append(tf.no_op().device)
        with tf.device("/device:GPU:1"):
            found.append(tf.no_op().device)
    with graph.device("/job:worker/task:2/cpu:0"):
        found.append(tf.no_op().device)
    with tf.device(lambda o: "/cpu:1"):
        found.append(tf.no_op().device)
    with graph.colocate_with(x):
        y = tf.constant(2.0, name="y")
        found += [y.device, y.op.colocation_groups()]
    with tf.colocate_with(x.op):
        found.append(tf.no_op().device)
    return found


@case
def feeding_and_fetching_can_be_forbidden(tf):
    graph = tf.get_default_graph()
    x, y = tf.constant(1.0, name="x"), tf.constant(2.0, name="y")
    found = [graph.is_feedable(x), graph.is_fetchable(x), graph.is_fetchable(x.op)]
    graph.prevent_feeding(x)
    graph.prevent_fetching(y.op)
    found += [graph.is_feedable(x), graph.is_fetchable(y), graph.is_fetchable(y.op)]
    with tf.Session() as session:
        found += [error(lambda: session.run(x, {x: 5.0})), error(lambda: session.run(y.op)), session.run(x)]
    return found


# -- the graph as a protocol buffer ----------------------------------------------------------------------------


@case
def as_graph_def(tf):
    graph = tf.get_default_graph()
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    before = graph.version
    with tf.control_dependencies([tf.no_op("first")]):
        y = tf.matmul(x, tf.ones([3, 2]), name="y")
    both = tf.split(y, 2, axis=1, name="both")
    tf.add(both[0], both[1], name="sum")

    def shown(proto):
        wanted = [n for n in proto.node if "Const" not in n.op]
        return [[n.name, n.op, list(n.input), n.device] for n in wanted]

    whole, part = graph.as_graph_def(), graph.as_graph_def(from_version=before)
    shapes = graph.as_graph_def(add_shapes=True)
    listed = {n.name: [[d.size for d in s.dim] for s in n.attr["_output_shapes"].list.shape] for n in shapes.node}
    return [shown(whole), "x" in [n.name for n in part.node], {k: listed[k] for k in ("x", "y", "both", "sum")}]


@case
def node_attributes(tf):
    x = tf.placeholder(tf.float32, [None, 3], name="x")
    tf.constant([[1, 2], [3, 4]], name="c")
    tf.cast(x, tf.int32, name="cast")
    tf.argmax(x, 1, name="argmax")
    found = {}
    for node in tf.get_default_graph().as_graph_def().node:
        found[node.name] = {key: str(value).split() for key, value in sorted(node.attr.items())}
    return found


@case
def predicates_that_are_none(tf):
    two = tf.constant([True, False])

    def cond(pred):
        return error(lambda: tf.cond(pred, lambda: 1, lambda: 2))

    def loop(pred):
        return error(lambda: tf.while_loop(lambda i: pred, lambda i: i, [1]))

    return [
        cond(two)[0], cond(tf.constant(1)), cond(5)[0], cond(True), loop(two)[0], loop(tf.constant(1)), loop(1)[0],
        error(lambda: tf.case([(two, lambda: 1)]))[0],
    ]  # fmt: skip


@case
def gradients_of_integers(tf):
    whole, part = tf.constant(3), tf.constant(2.0)
    found = [
        tf.gradients(whole, part), tf.gradients(whole, whole), tf.gradients(tf.cast(part, tf.int32), part),
        tf.gradients(whole + 1, whole), tf.gradients([whole, part * 2.0], part),
        tf.gradients(whole * 2, whole, unconnected_gradients="zero"),
    ]  # fmt: skip
    with tf.Session() as session:
        values = [None if g is None else session.run(g).item() for (g,) in found]
    return [
        values,
        error(lambda: tf.gradients(tf.constant("a"), part))[0],
        error(lambda: tf.gradients(tf.constant(1j), part)),
        error(lambda: tf.gradients(part, part, grad_ys=[part, part])),
    ]


@case
def containers_and_tables(tf):
    with tf.container("outer"):
        v = tf.get_variable("v", [1])
        queue = tf.FIFOQueue(1, tf.float32)
        with tf.get_default_graph().container("inner"):
            w = tf.Variable(1.0)
        with tf.container(""):
            x = tf.Variable(1.0)
    found = [op.get_attr("container").decode() for op in (v.op, queue.queue_ref.op, w.op, x.op)]
    nothing = tf.tables_initializer()
    tf.add_to_collection(tf.GraphKeys.TABLE_INITIALIZERS, tf.assign(w, 3.0).op)
    initialize = tf.tables_initializer("mine")
    with tf.Session() as session:
        session.run(initialize)
        return [found, nothing.name, initialize.name, session.run(nothing), session.run(w), tf.executing_eagerly()]
