"""Recurrent cells and networks: variables, outputs, states and gradients."""

import numpy as np

from oracle.programs import Group, error
from oracle.programs_loops import kind

program = Group("rnn")
X = np.sin(np.arange(2 * 4 * 3, dtype=np.float32)).reshape(2, 4, 3)
LENGTHS = [3, 1]


def filled(tf, fetches, feeds=None):
    """The values of fetches, with numbers in all variables that do not depend on how they are initialized."""
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for index, variable in enumerate(tf.global_variables()):
            count = int(np.prod(variable.shape.as_list()))
            values = np.sin(0.5 + index + 0.7 * np.arange(count)).reshape(variable.shape.as_list()) * 0.8
            values = np.abs(values) if "variance" in variable.name else values
            variable.load(values.astype(variable.dtype.as_numpy_dtype), session)
        return session.run(fetches, feeds)


def variables(tf):
    """The names, shapes and types of all variables."""
    return [[v.name, str(v.shape), v.dtype.name, v in tf.trainable_variables()] for v in tf.global_variables()]


def _flat(structure):
    if isinstance(structure, (list, tuple)):
        return [leaf for part in structure for leaf in _flat(part)]
    return [structure]


def _shown(tf, outputs, state, x, feeds=None):
    """Variables, shapes, values and gradients of a network."""
    leaves = _flat(outputs) + _flat(state)
    loss = tf.add_n([tf.reduce_sum(leaf * leaf) for leaf in leaves])
    gradients = tf.gradients(loss, _flat(x) + tf.trainable_variables())
    values = filled(tf, leaves + gradients, feeds)
    return [variables(tf), [str(leaf.shape) for leaf in leaves], values]


CELLS = {
    "basic_rnn": lambda c: c.BasicRNNCell(4),
    "gru": lambda c: c.GRUCell(4),
    "basic_lstm": lambda c: c.BasicLSTMCell(4),
    "basic_lstm_flat": lambda c: c.BasicLSTMCell(4, forget_bias=0.5, state_is_tuple=False),
    "lstm": lambda c: c.LSTMCell(4),
    "lstm_whole": lambda c: c.LSTMCell(
        4, use_peepholes=True, cell_clip=0.9, num_proj=2, proj_clip=0.4, forget_bias=0.25
    ),
    "lstm_flat": lambda c: c.LSTMCell(4, num_proj=2, state_is_tuple=False),
    "relu": lambda c: c.BasicRNNCell(4, activation="relu", name="mine"),
    "multi": lambda c: c.MultiRNNCell([c.BasicLSTMCell(4), c.ResidualWrapper(c.GRUCell(4)), c.BasicRNNCell(2)]),
    "multi_flat": lambda c: c.MultiRNNCell([c.GRUCell(4), c.BasicRNNCell(2)], state_is_tuple=False),
}
for _name, _cell in CELLS.items():

    def _dynamic(tf, make=_cell):
        cell, x = make(tf.nn.rnn_cell), tf.constant(X)
        outputs, state = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
        return [str(cell.state_size), str(cell.output_size), type(state).__name__, *_shown(tf, outputs, state, x)]

    def _with_lengths(tf, make=_cell):
        x, lengths = tf.placeholder(tf.float32, [None, None, 3]), tf.placeholder(tf.int32, [None])
        outputs, state = tf.nn.dynamic_rnn(make(tf.nn.rnn_cell), x, sequence_length=lengths, dtype=tf.float32)
        return _shown(tf, outputs, state, x, {x: X, lengths: LENGTHS})

    program.add("dynamic_" + _name, _dynamic)
    program.add("with_lengths_" + _name, _with_lengths)


@program
def time_major(tf):
    x = tf.constant(X.swapaxes(0, 1).copy())
    cell = tf.nn.rnn_cell.BasicLSTMCell(4)
    start = cell.zero_state(2, tf.float32)
    start = tf.nn.rnn_cell.LSTMStateTuple(start.c + 0.5, start.h - 0.25)
    outputs, state = tf.nn.dynamic_rnn(cell, x, LENGTHS, start, time_major=True, scope="net")
    return _shown(tf, outputs, state, x)


@program
def bidirectional(tf):
    x = tf.constant(X)
    c = tf.nn.rnn_cell
    outputs, state = tf.nn.bidirectional_dynamic_rnn(c.BasicLSTMCell(4), c.GRUCell(2), x, dtype=tf.float32)
    again, _ = tf.nn.bidirectional_dynamic_rnn(
        c.BasicRNNCell(2), c.BasicRNNCell(2), x, sequence_length=LENGTHS, dtype=tf.float32, scope="again"
    )
    return [[t.name for t in outputs + again], *_shown(tf, [outputs, again], state, x)]


@program
def static(tf):
    x = [tf.constant(X[:, i]) for i in range(4)]
    outputs, state = tf.nn.static_rnn(tf.nn.rnn_cell.GRUCell(4), x, dtype=tf.float32)
    again, other = tf.nn.static_rnn(
        tf.nn.rnn_cell.BasicLSTMCell(2), x, dtype=tf.float32, sequence_length=LENGTHS, scope="again"
    )
    return _shown(tf, [outputs, again], [state, other], x)


@program
def static_bidirectional(tf):
    x = [tf.constant(X[:, i]) for i in range(4)]
    c = tf.nn.rnn_cell
    outputs, fw, bw = tf.nn.static_bidirectional_rnn(c.GRUCell(4), c.BasicRNNCell(2), x, dtype=tf.float32)
    again, _, _ = tf.nn.static_bidirectional_rnn(
        c.GRUCell(2), c.GRUCell(2), x, dtype=tf.float32, sequence_length=LENGTHS, scope="again"
    )
    return _shown(tf, [outputs, again], [fw, bw], x)


@program
def several_inputs(tf):
    class Cell(tf.nn.rnn_cell.RNNCell):
        state_size = (4, tf.TensorShape([2, 2]))
        output_size = (4, 2)

        def call(self, inputs, state):
            w = tf.get_variable("w", [3, 4])
            a = tf.tanh(tf.matmul(inputs[0], w) + state[0])
            b = state[1] * 0.5 + tf.reshape(inputs[1], [-1, 2, 2])
            return (a, tf.reduce_sum(b, 2)), (a, b)

    x, y = tf.constant(X), tf.constant(np.cos(np.arange(32, dtype=np.float32)).reshape(2, 4, 4))
    cell = Cell()
    outputs, state = tf.nn.dynamic_rnn(cell, (x, y), sequence_length=LENGTHS, dtype=tf.float32)
    return [[v.name for v in cell.variables], *_shown(tf, outputs, state, [x, y])]


@program
def old_cells(tf):
    class Cell(tf.nn.rnn_cell.RNNCell):
        state_size = output_size = 4

        def __call__(self, inputs, state, scope=None):
            with tf.variable_scope(scope or "mine"):
                w = tf.get_variable("w", [3, 4])
                return tf.matmul(inputs, w) + state, state * 0.5

    x = tf.constant(X)
    outputs, state = tf.nn.dynamic_rnn(Cell(), x, dtype=tf.float32)
    again, _ = tf.nn.dynamic_rnn(tf.nn.rnn_cell.MultiRNNCell([Cell()]), x, dtype=tf.float32)
    return _shown(tf, [outputs, again], state, x)


@program
def names_and_sharing(tf):
    c, x = tf.nn.rnn_cell, tf.constant(X)
    cell = c.BasicLSTMCell(2)
    before = [cell.built, cell.name, kind(lambda: cell.scope_name)]
    with tf.variable_scope("a", regularizer=tf.nn.l2_loss, initializer=tf.ones_initializer()) as scope:
        tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    with tf.variable_scope(scope, reuse=True):
        tf.nn.dynamic_rnn(c.BasicLSTMCell(2), x, dtype=tf.float32)
    tf.nn.dynamic_rnn(cell, x, dtype=tf.float32, scope="again")
    with tf.variable_scope("b", reuse=tf.AUTO_REUSE):
        for _ in range(2):
            tf.nn.dynamic_rnn(c.GRUCell(2, name="named"), x, dtype=tf.float32)
    losses = [t.name for t in tf.get_collection("regularization_losses")]
    after = [cell.built, cell.scope_name, [v.name for v in cell.trainable_weights], cell.dtype]
    clash = error(lambda: [tf.nn.dynamic_rnn(c.GRUCell(2), x, dtype=tf.float32, scope="c") for _ in range(2)])
    return [before, after, losses, variables(tf), [clash[0], clash[1][:60]]]


@program
def cells_alone(tf):
    cell = tf.nn.rnn_cell.BasicLSTMCell(4)
    state = cell.zero_state(2, tf.float32)
    one, state = cell(tf.constant(X[:, 0]), state)
    two, state = cell(tf.constant(X[:, 1]), state)
    other, _ = tf.nn.rnn_cell.BasicLSTMCell(4)(tf.constant(X[:, 0]), state)
    names = [t.name for t in (one, two, other)]
    return [names, variables(tf), filled(tf, [one, two, other, state])]


@program
def dropout_that_keeps_all(tf):
    c, x = tf.nn.rnn_cell, tf.constant(X)
    cell = c.DropoutWrapper(c.BasicLSTMCell(4), input_keep_prob=1.0, output_keep_prob=tf.constant(1.0))
    outputs, state = tf.nn.dynamic_rnn(cell, x, dtype=tf.float32)
    return _shown(tf, outputs, state, x)


@program
def errors_of_networks(tf):
    c, x = tf.nn.rnn_cell, tf.constant(X)

    def dynamic(*args, **kwargs):
        return lambda: tf.nn.dynamic_rnn(*args, **kwargs)

    f = tf.float32
    return [
        error(dynamic(c.BasicRNNCell(4), tf.zeros([2, 3]), dtype=f)),
        error(dynamic(c.BasicRNNCell(4), x)),
        error(dynamic(3, x)),
        error(dynamic(c.BasicRNNCell(4), tf.placeholder(f, [None, 3, None]), dtype=f)),
        error(dynamic(c.BasicRNNCell(4), x, sequence_length=[[1, 2]], dtype=f)),
        kind(dynamic(c.BasicRNNCell(4), x, sequence_length=[1, 2, 3], dtype=f)),
        error(lambda: tf.nn.static_rnn(c.BasicRNNCell(4), x, dtype=f)),
        error(lambda: tf.nn.static_rnn(c.BasicRNNCell(4), [], dtype=f)),
        error(lambda: c.MultiRNNCell([])),
        kind(lambda: c.MultiRNNCell(c.BasicRNNCell(2))),
        error(lambda: c.DropoutWrapper(c.BasicRNNCell(2), input_keep_prob=1.5)),
        error(lambda: c.DropoutWrapper(c.BasicRNNCell(2), variational_recurrent=True)),
        kind(lambda: c.BasicLSTMCell(4)(tf.zeros([2, 3, 4]), (tf.zeros([2, 4]), tf.zeros([2, 4])))),
        error(lambda: c.BasicRNNCell(4, activation="what")),
    ]
