"""The design, as far as a test can hold it: who may import whom, and what every file keeps to."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import diabolo

PACKAGE = Path(diabolo.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
LAYERS = [
    {"lazy"},
    {"core"},
    {"corruptions", "architectures", "bottlenecks", "losses", "penalties", "training"},
    {"data"},
    {"estimators"},
    {"tasks", "diagnosis", "scale"},
    {"report", "explorer"},
    {"cli"},
]
RANK = {name: place for place, names in enumerate(LAYERS) for name in names}
PUBLIC = ["diabolo", "diabolo.core", *(f"diabolo.{p}" for p in RANK if p != "lazy" and (PACKAGE / p).is_dir())]


def room(file: Path) -> str:
    """The folder, or file, directly below the package that a file belongs to."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """The rooms that a file imports from, with line numbers."""
    here = ["diabolo", *file.relative_to(PACKAGE).with_suffix("").parts]
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level] if node.level else []
            path = [*base, *(node.module or "").split(".")] if node.module else base
            names = [path] if len(path) > 1 else [[*path, alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name[1]) for name in names if name[0] == "diabolo" and len(name) > 1)


def test_imports_point_downwards() -> None:
    wrong = [
        f"{file.relative_to(PACKAGE)}:{line} imports {there}"
        for file in FILES
        for line, there in imports(file)
        if room(file) in RANK and there in RANK and there != room(file) and RANK[there] >= RANK[room(file)]
    ]
    assert not wrong


def test_no_two_files_import_each_other_when_they_are_loaded() -> None:
    edges: dict[str, set[str]] = {}
    for file in FILES:
        name = ".".join(file.relative_to(PACKAGE).with_suffix("").parts)
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in tree.body:  # only what is imported at once; functions and type checking may look back
            if isinstance(node, ast.ImportFrom) and node.level:
                base = list(file.relative_to(PACKAGE).parent.parts)
                base = base[: len(base) - node.level + 1]
                edges.setdefault(name, set()).add(".".join([*base, *(node.module or "").split(".")]))

    def reaches(start: str, goal: str, seen: set[str]) -> bool:
        following = edges.get(start, set()) - seen
        return goal in following or any(reaches(step, goal, seen | following) for step in following)

    assert not [name for name in edges if reaches(name, name, set())]


def test_gradients_are_asked_for_in_one_file() -> None:
    found = {file.relative_to(PACKAGE).as_posix() for file in FILES if ".backward(" in file.read_text(encoding="utf-8")}
    found = {name for name in found if re.search(r"\w\.backward\(\)", (PACKAGE / name).read_text(encoding="utf-8"))}
    assert found == {"training/engine.py"}


@pytest.mark.parametrize(
    "word", ["print(", "import pickle", "joblib", "eval(", "exec(", "TODO", "FIXME", "torch.load("]
)
def test_words_that_do_not_belong_here(word: str) -> None:
    pattern = re.compile(rf"(?<![\w.\"'`]){re.escape(word)}")
    found = []
    for file in FILES:
        text = re.sub(r'"""[\s\S]*?"""', "", file.read_text(encoding="utf-8"))
        code = "\n".join(line.split("  # ")[0] for line in text.splitlines() if not line.strip().startswith("#"))
        if pattern.search(code):
            found.append(file.relative_to(PACKAGE).as_posix())
    assert not found


def test_nothing_heavy_is_imported_by_the_package_itself() -> None:
    import subprocess
    import sys

    code = "import sys, diabolo; print(sorted({'torch', 'sklearn', 'pandas', 'polars', 'PIL'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def public_objects() -> list[tuple[str, object]]:
    """Every class and function that a package names in ``__all__`` or serves lazily."""
    found: dict[int, tuple[str, object]] = {}
    for name in PUBLIC:
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", None) or getattr(module, "HOMES", {}):
            value = getattr(module, public)
            if inspect.isclass(value) or inspect.isfunction(value):
                found.setdefault(id(value), (f"{name}.{public}", value))
    return sorted(found.values(), key=lambda item: item[0])


@pytest.mark.parametrize(("name", "value"), public_objects(), ids=lambda value: value if isinstance(value, str) else "")
def test_public_names_are_explained(name: str, value: object) -> None:
    text = inspect.getdoc(value) or ""
    first = text.split("\n\n")[0]
    assert first.rstrip().endswith((".", ":")), f"{name}: the docstring begins with a sentence"
    abstract = inspect.isclass(value) and (inspect.isabstract(value) or "is_kind" in vars(value))
    if not abstract and not getattr(value, "_is_protocol", False) and not inspect.isabstract(value):
        assert doctest.DocTestParser().get_examples(text), f"{name}: the docstring has a doctest"


def test_every_file_says_what_it_is() -> None:
    assert not [file for file in FILES if not ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))]
