"""The presets and their fields, read from the package's own source: nothing is imported, so nothing is slow.

What an estimator declares (annotated fields, defaults, ``within`` and ``choice``, the docstring's parameters) is the
only list of flags there is. A test holds this reading against the real classes.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent
FOLDER = PACKAGE / "estimators"
ROOT = "Estimator"
#: Folders and files in which parts are defined.
HOMES = ("architectures", "bottlenecks", "corruptions", "losses", "penalties", "training")
#: Fields that are called otherwise on the command line.
RENAMED = {"random_state": "seed"}
#: The parameters of a detector for time series that have a flag, and its name there.
SERIES = ("SeriesAnomalyDetector", PACKAGE / "tasks" / "series.py")
SERIES_FLAGS = {
    "window": "window",
    "stride": "stride",
    "smoothing": "smoothing",
    "normalize": "normalize-by",
    "neighbors": "neighbors",
    "calibration": "calibration",
}


@dataclass(frozen=True)
class Field:
    """One field of an estimator, as its class declares it.

    Parameters
    ----------
    name, annotation : str
    default : object
    text : str
        What the docstring says about it.
    home : str
        The class that declares it.
    bounds : (low, high, above, below), or None
        As in :func:`diabolo.core.parts.within`.
    options : tuple, or None
        As in :func:`diabolo.core.parts.choice`.
    called : str, or None
        What the flag is called, where that is not the field's name.
    """

    name: str
    annotation: str
    default: Any
    text: str
    home: str
    bounds: tuple[float | None, float | None, bool, bool] | None = None
    options: tuple[Any, ...] | None = None
    called: str | None = None

    @property
    def flag(self) -> str:
        """How the field is called on the command line.

        >>> Field("code_size", "int", 8, "", "Estimator").flag
        '--code-size'
        """
        return "--" + (self.called or RENAMED.get(self.name, self.name)).replace("_", "-")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The members of the annotation: ``("float", "None")``."""
        return tuple(kind.strip() for kind in self.annotation.split("|"))

    @property
    def optional(self) -> bool:
        """Whether the field may be ``None``."""
        return "None" in self.kinds or self.default is None

    @property
    def part(self) -> str | None:
        """The kind of part that the field takes, if it takes one."""
        first = self.kinds[0]
        return first if first[0].isupper() and first not in ("None", "Any") else None


@dataclass(frozen=True)
class Preset:
    """An estimator that can be fitted: its name, its one sentence, its fields.

    Parameters
    ----------
    name, module : str
    summary : str
        The first sentence of its docstring.
    fields : dict of str to Field
        All of them, inherited ones first.
    """

    name: str
    module: str
    summary: str
    fields: dict[str, Field]

    @property
    def own(self) -> dict[str, Field]:
        """The fields that not every estimator has, or that have another default here."""
        return {name: field for name, field in self.fields.items() if field.home != ROOT}


@dataclass(frozen=True)
class _Class:
    node: ast.ClassDef
    module: Path

    @property
    def bases(self) -> list[str]:
        return [base.id for base in self.node.bases if isinstance(base, ast.Name)]


@cache
def presets() -> dict[str, Preset]:
    """Every preset by name, the plain autoencoder first.

    >>> list(presets())[0], "beta" in presets()["VAE"].fields
    ('Autoencoder', True)
    """
    classes: dict[str, _Class] = {}
    for path in sorted(FOLDER.glob("*.py")):
        for node in _parse(path).body:
            if isinstance(node, ast.ClassDef):
                classes[node.name] = _Class(node, path)
    found = {}
    for name, held in classes.items():
        line = _ancestry(name, classes)
        if name == ROOT or name.startswith("_") or ROOT not in line or "ABC" in held.bases:
            continue
        fields: dict[str, Field] = {}
        for ancestor in line:  # from the root down, as a dataclass collects its fields
            fields |= _fields(classes[ancestor])
        found[name] = Preset(name, held.module.stem, _summary(held.node), fields)
    return dict(sorted(found.items(), key=lambda item: (item[0] != "Autoencoder", item[0].lower())))


def common_fields() -> dict[str, Field]:
    """The fields that every preset has, as :class:`~diabolo.estimators.base.Estimator` declares them.

    >>> common_fields()["code_size"].default
    8
    """
    held = next(node for node in _parse(FOLDER / "base.py").body if getattr(node, "name", "") == ROOT)
    assert isinstance(held, ast.ClassDef)
    return _fields(_Class(held, FOLDER / "base.py"))


@cache
def parts(kind: str) -> tuple[str, ...]:
    """The names of all parts of a kind, found in the source by their bases.

    >>> "MLP" in parts("Architecture"), "KL" in parts("Penalty")
    (True, True)
    """
    bases: dict[str, list[str]] = {}
    kinds = PACKAGE / "core" / "kinds.py"  # a rival is a kind of penalty
    for path in (kinds, *(path for home in HOMES for path in sorted((PACKAGE / home).glob("*.py")))):
        text = path.read_text(encoding="utf-8")
        for name, given in re.findall(r"^class (\w+)\(([\w, ]*)\):", text, re.MULTILINE):
            bases[name] = [base.strip() for base in given.split(",")]

    def descends(name: str) -> bool:
        return any(base == kind or descends(base) for base in bases.get(name, ()))

    concrete = (name for name in bases if not name.startswith("_") and "ABC" not in bases[name])
    return tuple(sorted(name for name in concrete if descends(name)))


def find_preset(word: str) -> Preset | None:
    """The preset that a word means: its name in any case, with or without "Autoencoder".

    >>> [find_preset(word).name for word in ("vae", "linear", "denoising-autoencoder")]
    ['VAE', 'LinearAutoencoder', 'DenoisingAutoencoder']
    """
    wanted = plain(word)
    whole = [preset for name, preset in presets().items() if plain(name) == wanted]
    short = [preset for name, preset in presets().items() if plain(name).removesuffix("autoencoder") == wanted]
    return whole[0] if whole else short[0] if wanted and len(short) == 1 else None


def plain(word: str) -> str:
    """Fold a name, as :func:`diabolo.core.parts.plain_name` does.

    >>> plain("Linear-Autoencoder")
    'linearautoencoder'
    """
    return re.sub(r"[^a-z0-9]", "", word.lower())


@cache
def series_fields() -> dict[str, Field]:
    """The parameters of a detector for time series, by the names that the command line keeps them under.

    >>> series_fields()["series_normalize"].options, series_fields()["series_window"].flag
    (('channel', 'window', 'none'), '--window')
    """
    name, module = SERIES
    node = next(node for node in _parse(module).body if isinstance(node, ast.ClassDef) and node.name == name)
    made = next(line for line in node.body if isinstance(line, ast.FunctionDef) and line.name == "__init__")
    document = ast.get_docstring(node) or ""
    texts, found = parameter_texts(document), {}
    for argument, default in zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True):
        if argument.arg in SERIES_FLAGS and default is not None and argument.annotation is not None:
            words = re.search(rf"^{argument.arg} : {{(.*)}}", document, re.MULTILINE)
            found[f"series_{argument.arg}"] = Field(
                argument.arg,
                ast.unparse(argument.annotation),
                _value(default, module),
                texts[argument.arg],
                name,
                options=ast.literal_eval(f"({words[1]},)") if words else None,
                called=SERIES_FLAGS[argument.arg],
            )
    return found


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _ancestry(name: str, classes: dict[str, _Class]) -> list[str]:
    """A class and those it descends from, the root first."""
    line: list[str] = []
    for base in reversed(classes[name].bases) if name in classes else []:
        line += [ancestor for ancestor in _ancestry(base, classes) if ancestor not in line]
    return [*line, name] if name in classes else line


def _fields(held: _Class) -> dict[str, Field]:
    texts = parameter_texts(ast.get_docstring(held.node) or "")
    found = {}
    for line in held.node.body:
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name) or line.value is None:
            continue
        annotation, name = ast.unparse(line.annotation), line.target.id
        if annotation.startswith("ClassVar"):
            continue
        declared = _declaration(line.value, held.module)
        if declared is None:
            continue
        found[name] = Field(name, annotation, text=texts.get(name, ""), home=held.node.name, **declared)
    return found


def _declaration(value: ast.expr, module: Path) -> dict[str, Any] | None:
    """What a field's right-hand side says; ``None`` where it is no parameter of the constructor."""
    if not isinstance(value, ast.Call):
        return {"default": _value(value, module)}
    called = ast.unparse(value.func).rsplit(".", 1)[-1]
    named = {word.arg: _value(word.value, module) for word in value.keywords if word.arg}
    if "default" not in named or not named.get("init", True):
        return None
    found: dict[str, Any] = {"default": named["default"]}
    if called == "choice":
        found["options"] = tuple(option for node in value.args for option in _options(node, module))
    if called == "within":
        above, below = bool(named.get("above", False)), bool(named.get("below", False))
        found["bounds"] = (named.get("low"), named.get("high"), above, below)
    return found


def _options(node: ast.expr, module: Path) -> tuple[Any, ...]:
    return tuple(_value(node.value, module)) if isinstance(node, ast.Starred) else (_value(node, module),)


def _value(node: ast.expr, module: Path) -> Any:
    """A literal, or a constant that the module defines or imports from another one of the package."""
    if isinstance(node, ast.Name):
        return _constant(node.id, module)
    return ast.literal_eval(node)


def _constant(name: str, module: Path) -> Any:
    for line in _parse(module).body:
        if isinstance(line, ast.Assign) and any(getattr(t, "id", None) == name for t in line.targets):
            return _value(line.value, module)
        if isinstance(line, ast.ImportFrom) and line.level and any(n.name == name for n in line.names):
            folder = module.parents[line.level - 1]
            path = folder.joinpath(*(line.module or "").split("."))
            return _constant(name, path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
    raise ValueError(f"{module.name}: {name} cannot be read without running the code; declare it as a literal.")


def _summary(node: ast.ClassDef) -> str:
    text = ast.get_docstring(node) or ""
    first = text.split("\n\n")[0].replace("\n", " ")
    return as_words(re.sub(r":? *:math:`[^`]*`", "", first)).rstrip(":. ") + "."


def parameter_texts(docstring: str) -> dict[str, str]:
    """What the "Parameters" section of a numpydoc docstring says about each name.

    >>> parameter_texts("Say.\\n\\nParameters\\n----------\\na, b : int\\n    Both of :class:`~x.Y`.\\n")
    {'a': 'Both of Y.', 'b': 'Both of Y.'}
    """
    _, _, section = docstring.partition("Parameters\n----------\n")
    section = re.split(r"\n\n\w[\w ]*\n-{3,}\n", section)[0]
    found: dict[str, str] = {}
    names: list[str] = []
    for line in section.splitlines():
        if line and not line.startswith(" "):
            names = [name.strip() for name in line.split(" :")[0].split(",")]
        elif line.strip():
            for name in names:
                found[name] = f"{found.get(name, '')} {line.strip()}".strip()
    return {name: as_words(text) for name, text in found.items()}


def as_words(text: str) -> str:
    r"""Markup as plain words.

    >>> as_words("``None``: the :class:`~diabolo.losses.Loss`, deviation :math:`\\sigma`.")
    'None: the Loss, deviation sigma.'
    """
    text = re.sub(r":math:`([^`]*)`", lambda found: formula_as_words(found[1]), text)
    text = re.sub(r":\w+:`~?([^`]*)`", lambda found: found[1].rsplit(".", 1)[-1], text)
    return text.replace("``", "")


def formula_as_words(formula: str) -> str:
    r"""A short formula as one would type it.

    >>> formula_as_words(r"x + \sigma\epsilon"), formula_as_words(r"E\,\overline m")
    ('x + sigma epsilon', 'E mean(m)')
    """
    formula = re.sub(r"\\overline\s*{?(\w+)}?", r"mean(\1)", formula)
    formula = re.sub(r"\\(\w+)", r" \1 ", re.sub(r"\\[,;:! ]", " ", formula))
    return re.sub(r"(?<=\() | (?=\))", "", " ".join(formula.split()))
