"""Groups of cases in which this library may do more than TensorFlow, or name things otherwise."""

from oracle.cases import CASES, Group


class NamedGroup(Group):
    """Adds cases under a common prefix.

    With ``names=False`` outputs may be named otherwise than TensorFlow's; with ``exact=False`` either library may
    refuse, when the graph is built and shapes are not fully known, what the other accepts.
    """

    def __call__(self, name, build, *inputs, names=True, exact=True, **more):
        super().__call__(name, build, *inputs, **more)
        case = CASES[f"{self.prefix}/{name}"]
        case.names = names
        case.exact = exact
