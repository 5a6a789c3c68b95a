import copy
import pickle
from types import SimpleNamespace

import pytest

from monitored import errors

# Name, class and code of every status, as `tf.errors` of TensorFlow 1.15 has them.
STATUSES = [
    ("CANCELLED", errors.CancelledError, 1),
    ("UNKNOWN", errors.UnknownError, 2),
    ("INVALID_ARGUMENT", errors.InvalidArgumentError, 3),
    ("DEADLINE_EXCEEDED", errors.DeadlineExceededError, 4),
    ("NOT_FOUND", errors.NotFoundError, 5),
    ("ALREADY_EXISTS", errors.AlreadyExistsError, 6),
    ("PERMISSION_DENIED", errors.PermissionDeniedError, 7),
    ("RESOURCE_EXHAUSTED", errors.ResourceExhaustedError, 8),
    ("FAILED_PRECONDITION", errors.FailedPreconditionError, 9),
    ("ABORTED", errors.AbortedError, 10),
    ("OUT_OF_RANGE", errors.OutOfRangeError, 11),
    ("UNIMPLEMENTED", errors.UnimplementedError, 12),
    ("INTERNAL", errors.InternalError, 13),
    ("UNAVAILABLE", errors.UnavailableError, 14),
    ("DATA_LOSS", errors.DataLossError, 15),
    ("UNAUTHENTICATED", errors.UnauthenticatedError, 16),
]
OP = SimpleNamespace(
    name="dense/MatMul",
    type="MatMul",
    creation_site="train.py:12 in build",
    node_def="the NodeDef",
    graph=lambda: "not picklable, as a graph is not",
)


class OpenError(errors.NotFoundError):
    """A user's subclass with a constructor of its own."""

    def __init__(self, path):
        super().__init__(None, None, f"{path} cannot be opened")
        self.path = path


@pytest.mark.parametrize(("name", "error_type", "code"), STATUSES)
def test_each_status_has_its_code_and_its_class(name, error_type, code):
    assert getattr(errors, name) == code
    assert errors.exception_type_from_error_code(code) is error_type
    assert errors.error_code_from_exception_type(error_type) == code
    assert error_type.__mro__ == (error_type, errors.OpError, Exception, BaseException, object)


@pytest.mark.parametrize(("name", "error_type", "code"), STATUSES)
def test_each_class_is_made_from_node_def_op_and_message(name, error_type, code):
    error = error_type(node_def="given", op=OP, message="went wrong")
    assert (error.node_def, error.op, error.message, error.error_code) == ("given", OP, "went wrong", code)


def test_the_list_of_statuses_is_whole():
    classes = {value for value in vars(errors).values() if isinstance(value, type)}
    tree = {error_type for error_type in classes if issubclass(error_type, errors.OpError)}
    assert tree == {error_type for _, error_type, _ in STATUSES} | {errors.OpError}
    assert errors.OK == 0


def test_the_root_and_the_unknown_error_take_a_code():
    assert errors.OpError(None, None, "m", 99).error_code == 99
    assert errors.UnknownError(None, None, "m", 99).error_code == 99


@pytest.mark.parametrize("code", [0, 17, -1])
def test_a_code_without_a_class_is_a_key_error(code):
    with pytest.raises(KeyError):
        errors.exception_type_from_error_code(code)


def test_a_users_subclass_has_the_code_of_its_base():
    assert errors.error_code_from_exception_type(OpenError) == errors.NOT_FOUND


@pytest.mark.parametrize("error_type", [errors.OpError, ValueError, KeyboardInterrupt])
def test_a_class_without_a_code_is_unknown(error_type):
    assert errors.error_code_from_exception_type(error_type) == errors.UNKNOWN


def test_the_text_names_the_op_and_where_it_was_created():
    error = errors.InvalidArgumentError(None, OP, "shapes do not fit")
    assert str(error) == "shapes do not fit\n\t [[node dense/MatMul (defined at train.py:12 in build)]]"
    assert error.message == "shapes do not fit"


def test_the_text_of_an_op_without_creation_site_names_the_op_alone():
    assert str(errors.InternalError(None, SimpleNamespace(name="a"), "m")) == "m\n\t [[node a]]"


def test_the_text_without_an_op_is_the_message():
    assert str(errors.NotFoundError(None, None, "no such key")) == "no such key"
    assert repr(errors.NotFoundError(None, None, "no such key")) == "NotFoundError('no such key')"


def test_the_node_def_is_the_ops_unless_one_is_given():
    assert errors.InternalError(None, OP, "m").node_def == "the NodeDef"
    assert errors.InternalError(None, None, "m").node_def is None


@pytest.mark.parametrize("name", ["message", "op", "error_code", "node_def"])
def test_what_an_error_says_cannot_be_changed(name):
    with pytest.raises(AttributeError):
        setattr(errors.NotFoundError(None, None, "m"), name, "other")


def test_a_pickled_error_says_the_same_without_its_graph():
    error = errors.UnknownError("node_def", OP, "went wrong", 99)
    error.add_note("while saving")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is errors.UnknownError
    assert str(back) == str(error)
    assert (back.message, back.error_code, back.node_def) == ("went wrong", 99, "node_def")
    assert (back.op.name, back.op.type) == ("dense/MatMul", "MatMul")
    assert back.__notes__ == ["while saving"]


def test_a_users_subclass_can_be_pickled_and_copied():
    for back in (pickle.loads(pickle.dumps(OpenError("a.txt"))), copy.copy(OpenError("a.txt"))):
        assert type(back) is OpenError
        assert back.path == "a.txt"
        assert str(back) == "a.txt cannot be opened"


def test_an_error_keeps_its_op_when_it_is_raised_and_caught():
    with pytest.raises(errors.OpError, match=r"went wrong\n\t \[\[node dense/MatMul") as caught:
        raise errors.AbortedError(None, OP, "went wrong")
    assert caught.value.op is OP
