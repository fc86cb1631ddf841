"""Flags: those that every command has, and those that are made of the estimators' fields."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from .errors import SHOW_TRACE
from .fields import Field, Preset, common_fields, find_preset, parts, plain, presets, series_fields

Wrapped = TypeVar("Wrapped", bound=Callable[..., Any])

#: Kinds of part that also take names which are not this library's: ``torch.optim`` has its own.
OPEN_KINDS = ("Optimizer",)


def _remember_trace(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.meta[SHOW_TRACE] = value


traceback_flag = click.option(
    "--traceback",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_remember_trace,
    help="If something goes wrong, show where in the code.",
)
json_flag = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
force_flag = click.option("--force", is_flag=True, help="Replace the files that are there already.")
dry_run_flag = click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
device_flag = click.option(
    "--device", default="auto", metavar="NAME", help='"cpu", "cuda", "cuda:1"; "auto": a GPU if there is one.'
)
label_flag = click.option(
    "--label",
    metavar="COLUMN|FILE",
    help="The column of labels, which is no feature, or a file with one label a row.",
)


def model_argument(command: Wrapped) -> Wrapped:
    """The file of a fitted model."""
    return click.argument("model", type=click.Path())(command)


def data_argument(command: Wrapped) -> Wrapped:
    """The data to work on."""
    return click.argument("data", type=click.Path())(command)


def output_flag(what: str, default: str = "-") -> Callable[[Wrapped], Wrapped]:
    """Where results go."""
    return click.option("-o", "--output", default=default, metavar="FILE", type=click.Path(), help=what)


def data_through_model(written: str, *own: Callable[[Any], Any]) -> Callable[[Wrapped], Wrapped]:
    """The arguments and flags of every command that sends data through a model and writes what comes of it.

    Parameters
    ----------
    written : str
        What kinds of file it writes.
    own : flags of the command's own
    """
    shared = (label_flag, device_flag, dry_run_flag, force_flag, json_flag, traceback_flag)

    def wrap(command: Wrapped) -> Wrapped:
        for flag in reversed((model_argument, data_argument, output_flag(written), *own, *shared)):
            command = flag(command)
        return command

    return wrap


class PresetType(click.ParamType):
    """The name of a preset, in any case, with or without "Autoencoder"."""

    name = "preset"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Preset:
        """Find the preset."""
        if isinstance(value, Preset):
            return value
        found = find_preset(str(value))
        if found is None:
            known = list(presets())
            close = difflib.get_close_matches(plain(str(value)), [plain(name) for name in known], 1, 0.5)
            meant = f" Did you mean {next(name for name in known if plain(name) == close[0])}?" if close else ""
            self.fail(f"no preset is called {value!r}; there are {', '.join(known)}.{meant}", param, ctx)
        return found


class FieldCommand(click.Command):
    """A command with a flag for each field of each preset, read when the flags are needed."""

    loaded = False

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own flags and those of the fields."""
        if not self.loaded:
            self.params += [option_of(field) for field in all_fields().values()]
            self.params += [option_of(field, name) for name, field in series_fields().items()]
            self.loaded = True
        return super().get_params(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Group the flags: the command's own, those of --series, those of every preset, those of each."""
        fields = all_fields() | series_fields()
        own = [param for param in self.get_params(ctx) if param.name not in fields and isinstance(param, click.Option)]
        records = [param.get_help_record(ctx) for param in own]
        with formatter.section("Options"):
            formatter.write_dl([record for record in records if record is not None])
        with formatter.section("Flags of --series"):
            formatter.write_dl([help_of(field) for field in series_fields().values()])
        with formatter.section("Flags of every preset"):
            formatter.write_dl([help_of(field) for field in common_fields().values()])
        for preset in presets().values():
            with formatter.section(f"Flags of {preset.name}"):
                formatter.write_dl([help_of(field) for field in preset.own.values()] or [("", "None of its own.")])


def all_fields() -> dict[str, Field]:
    """The fields of all presets by name.

    >>> {"code_size", "beta", "noise"} <= set(all_fields())
    True
    """
    found = dict(common_fields())
    for preset in presets().values():
        found |= {name: field for name, field in preset.fields.items() if name not in found}
    return found


def option_of(field: Field, name: str | None = None) -> click.Option:
    """The flag of a field; its word is read later, when it is known which preset it is for."""
    name = name or field.name
    if field.kinds == ("bool",):
        return click.Option([f"{field.flag}/--no-{field.flag[2:]}", name], default=None)
    spellings = [field.flag, *(["--types"] if field.name == "column_types" else []), name]
    return click.Option(spellings, metavar=metavar_of(field), default=None)


def help_of(field: Field) -> tuple[str, str]:
    """A field's line in the help: the flag, and what the docstring says."""
    text = field.text.replace("None:", "none:")
    if field.part is not None:
        known = ", ".join(parts(field.part))
        text = f"{text.rstrip('.')}. Here: {known}." if known not in text else text
    elif field.options is not None:
        text = f"{text.rstrip('.')}. One of {', '.join(map(str, field.options))}."
    if field.kinds == ("bool",):
        return f"{field.flag} / --no-{field.flag[2:]}", f"{text}  [default: {'yes' if field.default else 'no'}]"
    default = (
        "none" if field.default is None else f"{field.default:g}" if isinstance(field.default, float) else field.default
    )
    short = "--types, " if field.name == "column_types" else ""
    return f"{short}{field.flag} {metavar_of(field)}", f"{text}  [default: {default}]"


def metavar_of(field: Field) -> str:
    """What kind of word a flag takes.

    >>> metavar_of(all_fields()["code_size"]), metavar_of(all_fields()["architecture"])
    ('WHOLE', 'PART')
    """
    if field.part is not None:
        return "PART"
    if "dict[str, str]" in field.kinds:
        return "NAME=KIND,..."
    if field.options is not None:
        return "WORD"
    if "int" in field.kinds or field.annotation == "Any":
        return "WHOLE"
    return "NUMBER" if "float" in field.kinds else "WORD"


def read_flags(ctx: click.Context, preset: Preset, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values of the flags that were given, as the preset's fields take them.

    Raises
    ------
    click.UsageError
        If a flag is not one of this preset, or its word is not possible.
    """
    values = {}
    for name, word in given.items():
        if word is None:
            continue
        if name not in preset.fields:
            raise click.UsageError(refusal(preset, all_fields()[name].flag, name), ctx)
        values[name] = read_word(preset.fields[name], word)
    return values


def read_series_flags(given: dict[str, Any], wanted: bool) -> dict[str, Any]:
    """Take the flags of a detector for time series out of those that were given: its parameters.

    Raises
    ------
    click.UsageError
        If one was given though no such detector is wanted, or its word is not possible.

    >>> read_series_flags({"series_window": "64", "epochs": "3"}, True)
    {'window': 64}
    """
    values = {}
    for name, field in series_fields().items():
        word = given.pop(name, None)
        if word is None:
            continue
        if not wanted:
            raise click.UsageError(f"{field.flag} is for time series: diabolo fit DATA --series {field.flag} {word}")
        values[field.name] = read_word(field, word)
    return values


def refusal(preset: Preset, said: str, name: str) -> str:
    """Say that a preset has no such field, who has it, and what this one has."""
    others = [other.name for other in presets().values() if name in other.fields]
    has = f" ({', '.join(others)} {'has' if len(others) == 1 else 'have'} it)" if others else ""
    own = ", ".join(field.flag for field in preset.own.values())
    common = ", ".join(field.flag for name, field in common_fields().items() if name not in preset.own)
    return f"{preset.name} has no {said}{has}. It has {own or 'no flags of its own'}, and as every preset {common}."


def read_word(field: Field, word: Any) -> Any:
    """A flag's word as the value of a field.

    >>> read_word(all_fields()["learning_rate"], "1e-2"), read_word(all_fields()["patience"], "none")
    (0.01, None)
    """
    if isinstance(word, bool):
        return word
    if field.options is not None:
        if word not in field.options:
            raise bad(field, f"{word!r} is not one of {', '.join(map(str, field.options))}.")
        return word
    if word.lower() == "none" and field.optional:
        return None
    if field.part is not None:
        return read_part(field, field.part, word)
    if "dict[str, str]" in field.kinds:
        return read_pairs(field, word)
    whole = "int" in field.kinds or field.annotation == "Any"
    if not whole and "float" not in field.kinds:
        return word
    bounds = field.bounds or ((0, None, False, False) if field.annotation == "Any" else (None, None, False, False))
    try:
        number: float = int(word) if whole else float(word)
    except ValueError:
        raise bad(field, f"{word!r} is no {'whole ' if whole else ''}number.") from None
    if not _inside(number, bounds):
        raise bad(field, f"{word} came; it must be {range_in_words(*bounds, whole=whole)}.")
    return number


def read_pairs(field: Field, word: str) -> dict[str, str] | str:
    """Names with a word each; a single word stands for itself.

    >>> read_pairs(all_fields()["column_types"], "age=count, zip=categorical")
    {'age': 'count', 'zip': 'categorical'}
    """
    if "=" not in word:
        return word
    pairs = [pair.rpartition("=") for pair in word.split(",")]
    if not all(name.strip() and kind.strip() for name, _, kind in pairs):
        raise bad(field, f"{word!r} cannot be read. Write name=kind, with commas between several.")
    return {name.strip(): kind.strip() for name, _, kind in pairs}


def bad(field: Field, words: str) -> click.BadParameter:
    """An error that names the flag."""
    return click.BadParameter(words, param_hint=f"'{field.flag}'")


def _inside(number: float, bounds: tuple[float | None, float | None, bool, bool]) -> bool:
    low, high, above, below = bounds
    over = low is None or (number > low if above else number >= low)
    under = high is None or (number < high if below else number <= high)
    return over and under and number == number


def range_in_words(low: float | None, high: float | None, above: bool, below: bool, *, whole: bool) -> str:
    """Say a range.

    >>> range_in_words(0.0, 1.0, False, True, whole=False)
    'a number of at least 0 and below 1'
    """
    limits = []
    if low is not None:
        limits.append(f"{'above' if above else 'of at least'} {low:g}")
    if high is not None:
        limits.append(f"{'below' if below else 'of at most'} {high:g}")
    return " ".join(["a whole number" if whole else "a number", " and ".join(limits)]).rstrip()


def read_part(field: Field, kind: str, word: str) -> str:
    """A part's name or expression, checked as far as that goes without making the part."""
    known = parts(kind)
    names = [word]
    if "(" in word or "+" in word:
        try:
            tree = ast.parse(word, mode="eval").body
        except SyntaxError:
            raise bad(field, f"{word!r} cannot be read. Write a name, or {known[0]}(field=value).") from None
        terms = [node for node in _terms(tree) if isinstance(node, (ast.Call, ast.Name))]
        names = [ast.unparse(node.func if isinstance(node, ast.Call) else node) for node in terms]
    elif kind in OPEN_KINDS:
        return word
    for name in names:
        if plain(name) not in {plain(other) for other in known}:
            close = difflib.get_close_matches(name, known, 1, 0.5)
            meant = f" Did you mean {close[0]}?" if close else ""
            raise bad(field, f"no {kind.lower()} is called {name!r}; there are {', '.join(known)}.{meant}")
    return word


def _terms(node: ast.expr) -> list[ast.expr]:
    """The terms of a sum."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_terms(node.left), *_terms(node.right)]
    return [node]
