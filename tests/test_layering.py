"""The way through the house: what each room may import, read from the source without importing it."""

import ast
import graphlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "monitored"

# What each room may import besides itself. What is not a room is public, and may import everything.
ROOMS = {
    "errors": set(),
    "_checkpoint": {"errors"},
    "_graph": {"errors"},
    "_ops": {"_graph", "_checkpoint", "errors"},
    "_plan": {"_graph", "errors"},
    "_run": {"_plan", "_graph", "_checkpoint", "errors"},
    "__main__": {"_checkpoint", "errors"},
    "_train": {"_run", "_ops", "_graph", "_checkpoint", "errors"},
}
LONGEST_FILE = 600  # lines


@dataclass(frozen=True)
class Import:
    """One import of one project module, with where it stands."""

    importer: str
    imported: str
    line: int
    in_function: bool
    for_types_only: bool

    def __str__(self) -> str:
        return f"{self.importer}:{self.line} imports {self.imported}"


def find_modules(package: Path) -> dict[str, Path]:
    """Returns the files of a package by dotted module name."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def find_imports(modules: Mapping[str, Path]) -> list[Import]:
    """Returns every import of one of the modules by another."""
    found = []
    for name, path in modules.items():
        is_package = path.name == "__init__.py"
        for node, in_function, for_types_only in _import_statements(ast.parse(path.read_text())):
            for target in _targets(node, name if is_package else name.rpartition(".")[0], modules):
                found.append(Import(name, target, node.lineno, in_function, for_types_only))
    return found


def _import_statements(
    node: ast.AST, in_function: bool = False, for_types_only: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool, bool]]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node, in_function, for_types_only
    in_function = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    is_typing_block = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
    for child in ast.iter_child_nodes(node):
        yield from _import_statements(child, in_function, for_types_only or is_typing_block)


def _targets(node: ast.Import | ast.ImportFrom, package: str, modules: Mapping[str, Path]) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names if alias.name in modules}
    base = node.module or ""
    if node.level:
        above = package.split(".")[: len(package.split(".")) - node.level + 1]
        base = ".".join([*above, *filter(None, [node.module])])
    # `from package import name` imports the module `package.name`, where there is one.
    candidates = {f"{base}.{alias.name}" for alias in node.names}
    targets = {name if name in modules else base for name in candidates}
    return targets & modules.keys()


def room(module: str) -> str:
    """Returns the room of a module: the second part of its name, or "" for the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def breaches(imports: list[Import]) -> list[str]:
    """Returns the imports that the table does not allow."""
    wrong = []
    for one in imports:
        here, there = room(one.importer), room(one.imported)
        if here.startswith("_") and here not in ROOMS:
            wrong.append(f"{one}, but {here} has no line in the table of rooms")
        elif here in ROOMS and there not in ROOMS[here] | {here}:
            wrong.append(f"{one}, but {here} may import only {sorted(ROOMS[here])}")
    return wrong


def find_cycle(imports: list[Import]) -> list[str]:
    """Returns the modules of an import cycle, or an empty list. What is imported for types alone is no cycle."""
    graph: dict[str, set[str]] = {}
    for one in imports:
        if not one.for_types_only:
            graph.setdefault(one.importer, set()).add(one.imported)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def test_each_room_imports_only_what_the_table_allows():
    assert breaches(find_imports(find_modules(SOURCE))) == []


def test_no_import_cycles():
    assert find_cycle(find_imports(find_modules(SOURCE))) == []


def test_no_function_imports_from_the_project():
    hidden = [str(one) for one in find_imports(find_modules(SOURCE)) if one.in_function]
    assert hidden == []


def test_no_file_is_too_long():
    lengths = {name: len(path.read_text().splitlines()) for name, path in find_modules(SOURCE).items()}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


# The checks above would also pass if they saw nothing; these show that they see.


@pytest.fixture
def imports_of(tmp_path):
    """Returns a function that writes a package with the given files, and finds its imports."""

    def write(files: Mapping[str, str]) -> list[Import]:
        for name, text in files.items():
            path = tmp_path / "house" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return find_imports(find_modules(tmp_path / "house"))

    return write


@pytest.mark.parametrize(
    "statement",
    [
        "import house._run.session",
        "from house._run import session",
        "from house._run.session import Session",
        "from .._run import session",
        "from .._run.session import Session",
        "if TYPE_CHECKING:\n    from house._run.session import Session",
        "def lazy():\n    from house._run.session import Session",
    ],
)
def test_a_graph_that_imports_the_session_is_seen(imports_of, statement):
    files = {"_run/__init__.py": "", "_run/session.py": "", "_graph/__init__.py": "", "_graph/graph.py": statement}
    (breach,) = breaches(imports_of(files))
    assert "house._graph.graph" in breach
    assert "house._run.session" in breach


def test_a_room_that_imports_the_public_package_is_seen(imports_of):
    assert breaches(imports_of({"__init__.py": "", "_graph/graph.py": "import house"}))


def test_a_room_that_the_table_does_not_know_is_seen(imports_of):
    assert breaches(imports_of({"errors.py": "", "_attic/box.py": "from house import errors"}))


def test_what_the_table_allows_is_no_breach(imports_of):
    files = {
        "__init__.py": "from house import train",
        "errors.py": "import pickle",
        "train.py": "from house._run.session import Session",
        "_graph/graph.py": "from house import errors\nfrom . import shapes\nimport numpy",
        "_graph/shapes.py": "",
        "_run/session.py": "from house._graph.graph import Graph",
    }
    imports = imports_of(files)
    assert len(imports) == 5
    assert breaches(imports) == []
    assert find_cycle(imports) == []


def test_a_cycle_is_seen_unless_it_is_for_types_alone(imports_of):
    graph = "from house._graph import operation"
    assert find_cycle(imports_of({"_graph/graph.py": graph, "_graph/operation.py": "from . import graph"}))
    for_types = "if TYPE_CHECKING:\n    from . import graph"
    assert not find_cycle(imports_of({"_graph/graph.py": graph, "_graph/operation.py": for_types}))


def test_an_import_inside_a_function_is_seen(imports_of):
    files = {"errors.py": "", "train.py": "class A:\n    def f(self):\n        from house import errors"}
    assert [one.in_function for one in imports_of(files)] == [True]
