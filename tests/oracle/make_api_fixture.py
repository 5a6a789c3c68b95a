"""Records TensorFlow 1.15's interface: the parameters of its public functions, and the OpDefs of its operations.

python3.7 tests/oracle/make_api_fixture.py      (in an environment with tensorflow==1.15.5)
"""

import gzip
import inspect
import json
import os

FIXTURE = os.path.join(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures", "tensorflow_api.json.gz"
)
NAMESPACES = (
    "",
    "bitwise",
    "debugging",
    "initializers",
    "linalg",
    "losses",
    "math",
    "nn",
    "random",
    "summary",
    "train",
)


def parameters(function):
    """The parameters of a function: names, and the text of the defaults."""
    result = []
    for parameter in inspect.signature(function).parameters.values():
        prefix = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        default = parameter.default
        text = None if default is inspect.Parameter.empty else default_text(default)
        result.append([prefix + parameter.name, text])
    return result


def default_text(value):
    """A default as text that both libraries can give: values as they print, objects by the name of their class."""
    if value is None or isinstance(value, (bool, int, float, str, tuple, list)):
        return repr(value)
    if hasattr(value, "as_datatype_enum"):
        return value.name
    return "<{}>".format(type(value).__name__)  # noqa: UP032


def functions(tf):
    """The public functions by name, such as ``math.add``."""
    found = {}
    for namespace in NAMESPACES:
        module = getattr(tf, namespace) if namespace else tf
        for name in dir(module):
            value = getattr(module, name)
            if name[0] != "_" and inspect.isfunction(value):
                found["{}.{}".format(namespace, name).lstrip(".")] = value  # noqa: UP032
    return found


def argument(tf, arg):
    """One argument of an OpDef, as the signatures of this library write it."""
    kind = arg.type_attr or arg.type_list_attr or tf.as_dtype(arg.type).name
    kind = f"[{kind}]" if arg.type_list_attr else kind
    kind = f"{arg.number_attr}*{kind}" if arg.number_attr else kind
    return f"{arg.name}:{'&' if arg.is_ref else ''}{kind}"


def main():
    """Writes the fixture."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf
    from tensorflow.python.framework import op_def_registry

    tf.logging.set_verbosity(tf.logging.FATAL)
    ops = {}
    for name, op in op_def_registry.get_registered_ops().items():
        sides = (" ".join(argument(tf, a) for a in side) for side in (op.input_arg, op.output_arg))
        allowed = {a.name: [tf.as_dtype(t).name for t in a.allowed_values.list.type] for a in op.attr}
        ops[name] = [" -> ".join(sides), {name: sorted(set(types)) for name, types in allowed.items()}]
    api = {name: parameters(function) for name, function in functions(tf).items()}
    with gzip.GzipFile(FIXTURE, "wb", mtime=0) as file:
        text = json.dumps({"functions": api, "ops": ops}, sort_keys=True, separators=(",", ":"))
        file.write(text.encode())
    print(f"{len(api)} functions, {len(ops)} ops, {os.path.getsize(FIXTURE)} bytes")


if __name__ == "__main__":
    main()
