"""``diabolo fit``: data to a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from .fields import Preset, presets
from .flags import (
    FieldCommand,
    PresetType,
    dry_run_flag,
    force_flag,
    json_flag,
    label_flag,
    read_flags,
    read_series_flags,
    traceback_flag,
)
from .making import make_estimator, read_settings
from .output import counted, emit, refuse_own_input, say, size, table, times

if TYPE_CHECKING:
    from ..core.parts import Part
    from ..data.modality import Modality
    from ..data.source import Source
    from ..estimators import Estimator, Plan
    from .series import SeriesFit

MOST_COLUMNS = 40


@dataclass(frozen=True)
class Files:
    """What a fit writes: the model, its history line by line, and a checkpoint while it runs.

    >>> Files.beside("out/m.safetensors").last_good.name
    'm.last-good.safetensors'
    """

    model: Path
    history: Path
    checkpoint: Path
    last_good: Path

    @classmethod
    def beside(cls, output: str) -> Files:
        """The files for a model of this name."""
        model = Path(output)
        if model.is_dir() or not model.name:
            raise click.UsageError(f"{output} is a folder; name the model's file: {model / 'model.safetensors'}")
        last_good = model.with_name(f"{model.stem}.last-good{model.suffix}")
        return cls(model, Path(f"{output}.history.jsonl"), Path(f"{output}.checkpoint"), last_good)

    def check(self, *, force: bool, resume: bool) -> None:
        """Refuse to replace what nobody said may be replaced."""
        if force or (resume and self.checkpoint.exists()):
            return
        if self.model.exists() and resume:
            raise click.UsageError(
                f"{self.model} is there already, and no checkpoint to go on from: its training is over. "
                "Choose another name, or replace it by --force."
            )
        if self.checkpoint.exists():
            raise click.UsageError(
                f"{self.checkpoint} of an unfinished run is there. Go on with it by --resume, or begin anew by --force."
            )
        if self.model.exists():
            raise click.UsageError(f"{self.model} is there already. Choose another name, or replace it by --force.")


@click.command(cls=FieldCommand)
@click.argument("data", type=click.Path(), default="digits")
@click.option("-o", "--output", metavar="MODEL", type=click.Path(), help="The model's file. Needed, unless --dry-run.")
@click.option(
    "-p",
    "--preset",
    type=PresetType(),
    default="Autoencoder",
    metavar="NAME",
    help='What to fit, in any case, with or without "Autoencoder"; the presets and their flags are below.  '
    "[default: Autoencoder]",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any parameter, also of a part: architecture__hidden=512,128. As often as needed.",
)
@label_flag
@click.option(
    "--degraded",
    metavar="DATA",
    type=click.Path(),
    help="What the encoder sees of each row while training: the same rows, noisy or damaged. DATA is what comes back.",
)
@click.option(
    "--generator",
    is_flag=True,
    help="Learn where codes lie as well, for diabolo sample; without --preset, of a VAE that is made for it.",
)
@click.option(
    "--imputer",
    is_flag=True,
    help="Measure how far off hidden cells are filled as well, for diabolo impute --draws; without --preset, of a "
    "TabularMaskedAutoencoder.",
)
@click.option(
    "--detector",
    is_flag=True,
    help="Hold rows out to measure which scores are usual as well, for diabolo score to flag strange rows; without "
    "--preset, of an EnsembleAutoencoder for tables and an Autoencoder for all else.",
)
@click.option(
    "--series",
    is_flag=True,
    help="Take rows for points of time and columns for channels, learn their windows, and hold the end out to measure "
    "which scores are usual, for diabolo score to flag strange points. Columns of times are no channels, empty cells "
    "are gaps; without --preset, of a LinearAutoencoder that keeps 99 % of the variance.",
)
@click.option("--channels", metavar="NAME,...", help="With --series: the columns that are channels; all if not said.")
@click.option(
    "--resume", is_flag=True, help="Go on where an interrupted run of the same command stopped, to the same bits."
)
@dry_run_flag
@force_flag
@json_flag
@traceback_flag
def fit(
    data: str,
    output: str | None,
    preset: Preset,
    settings: tuple[str, ...],
    label: str | None,
    degraded: str | None,
    generator: bool,
    imputer: bool,
    detector: bool,
    series: bool,
    channels: str | None,
    resume: bool,
    dry_run: bool,
    force: bool,
    as_json: bool,
    **flags: Any,
) -> None:
    """Learn a model of DATA and write it to one file.

    DATA is the name of an example set (digits, mnist, fashion-mnist; the latter two with :test for their other part),
    or a path: csv, tsv, txt, ts (also .gz), parquet, npy, npz, IDX (also .gz), a folder, pattern or zip file of png
    and jpeg pictures, or - for standard input. Without DATA: digits, which need no download.

    The plan is told first. While it runs, MODEL.history.jsonl grows by a line per epoch and MODEL.checkpoint is kept up
    to date. Ctrl-C (or SIGTERM) saves the best model so far; the same command with --resume goes on from there.

    A PART is a name (mlp) or an expression such as "MLP(hidden=(512, 128), activation=relu)".
    """
    ctx = click.get_current_context()
    if output is None and not dry_run:
        raise click.UsageError("Missing option '-o': name the file for the model, such as -o model.safetensors.")
    task = chosen_task(generator=generator, imputer=imputer, detector=detector, series=series)
    settings_of_series = read_series_flags(flags, series)
    if channels is not None and not series:
        raise click.UsageError("--channels is for time series: diabolo fit DATA --series --channels NAME,...")
    if series and degraded is not None:
        raise click.UsageError("--series and --degraded cannot both be: windows are learned as they are.")
    standard = task is not None and ctx.get_parameter_source("preset") is ParameterSource.DEFAULT
    files = None if output is None else Files.beside(output)
    if files is not None:
        files.check(force=force, resume=resume)
        refuse_own_input(str(files.model), (data,) if degraded is None else (data, degraded))
    source: Source | None = None
    usual: dict[str, Any] = {}
    held: SeriesFit | None = None
    if series:
        from .series import SeriesFit

        held = SeriesFit(data, label, channels, settings_of_series)
    if standard and held is not None:
        name, usual = held.usual()
        preset = presets()[name]
    elif standard and task is not None:
        source, preset, usual = standard_of(task, data, label)
    values = read_flags(ctx, preset, flags)
    extra = read_settings(preset, settings)
    from .fitting import Fitting, make_plan, promise_of, resumed_seed

    if resume and files is not None and values.get("random_state") is None:
        values["random_state"] = resumed_seed(files.checkpoint)
    estimator = make_estimator(preset, usual | values, extra)
    if held is not None:
        source = held.source_for(estimator)
    source, plan = make_plan(estimator, data if source is None else source, label, degraded, task)
    facts = facts_of(estimator, plan, data, files)
    lines = lines_of(estimator, plan, files)
    if held is not None:
        facts |= held.facts()
        lines = held.lines() | {name: words for name, words in lines.items() if name != "data"}
    if detector:
        held_out, promise = promise_of(source)
        facts |= {"calibration_rows": held_out, "promise": promise}
        lines["calibration"] = f"{counted(held_out, 'more row')} held out. {promise}"
    say(table(lines))
    if held is None:
        say_columns(plan.modality)
    if dry_run or files is None:
        if as_json:
            emit("fit", facts | {"dry_run": True})
        return
    shown = "verbose" not in values
    fitting = Fitting(estimator, source, plan, files, resume=resume, progress=shown, task=task, series=held)
    code = fitting.run()
    if as_json:
        emit("fit", facts | fitting.facts)
    ctx.exit(code)


def chosen_task(**asked: bool) -> str | None:
    """Which one of the tasks is asked for; refuses two at once.

    >>> chosen_task(detector=True, imputer=False), chosen_task(detector=False)
    ('detector', None)
    """
    names = [name for name, wanted in asked.items() if wanted]
    if len(names) > 1:
        both = " and ".join(f"--{name}" for name in names)
        raise click.UsageError(f"{both} cannot both be: a file holds one task. Fit twice.")
    return names[0] if names else None


def standard_of(task: str, data: str, label: str | None) -> tuple[Source | None, Preset, dict[str, Any]]:
    """What a task is made of where the user names no preset, and its parameters; of a detector the data decides."""
    if task == "imputer":
        return None, presets()["TabularMaskedAutoencoder"], {}
    if task == "generator":
        from ..tasks.generator import STANDARD

        return None, presets()["VAE"], STANDARD
    from ..tasks.anomaly import default_estimator
    from .inputs import open_source

    source: Source = open_source(data, label)
    usual = default_estimator(source, source.names is not None)
    return source, presets()[type(usual).__name__], usual.get_params(deep=False)


def say_columns(modality: Modality) -> None:
    """What each column of a table was taken for, so that a wrong guess is seen before it is trained on."""
    said = list(getattr(modality, "said", ()))
    if not said:
        return
    left_out = f", and {len(said) - MOST_COLUMNS:,} more" if len(said) > MOST_COLUMNS else ""
    say(f"\n{counted(len(said), 'column')} taken for{left_out} (--types NAME=KIND changes it):")
    say(table(dict(said[:MOST_COLUMNS])))


def facts_of(estimator: Estimator, plan: Plan, data: str, files: Files | None) -> dict[str, Any]:
    """The plan under stable names."""
    facts = plan.modality.facts
    return {
        "estimator": type(estimator).__name__,
        "data": data,
        "modality": plan.modality.name,
        "rows": plan.rows + plan.validation_rows,
        "shape": facts["user_shape"],
        "columns": dict(getattr(plan.modality, "said", ())),
        "missing": facts["missing"],
        "validation_rows": plan.validation_rows,
        "parameters": plan.parameters,
        "closed_form": plan.closed_form,
        "epochs": plan.epochs,
        "steps_per_epoch": plan.batches.steps,
        "batch_size": plan.batch_size,
        "memory_bytes": plan.memory,
        "resident": plan.resident,
        "device": str(plan.device),
        "seed": plan.seed,
        "files": None if files is None else {"model": str(files.model), "history": str(files.history)},
    }


def lines_of(estimator: Estimator, plan: Plan, files: Files | None) -> dict[str, str]:
    """The plan for people."""
    facts = plan.modality.facts
    rows, steps = plan.rows + plan.validation_rows, plan.batches.steps
    missing = counted(facts["missing"], "missing cell") if facts["missing"] else "no missing cells"
    held_out = f"{plan.validation_rows:,} of the rows held out" if plan.validation_rows else "no rows held out"
    kind = {"images": "pictures", "table": "a table", "arrays": "numbers"}.get(plan.modality.name, plan.modality.name)
    most = "up to " if plan.modality.varies else ""
    where = "all in memory" if plan.resident else "read from the disk again in every epoch"
    written = (
        "none named" if files is None else f"{files.model}, {files.history}, and {files.checkpoint} until it is done"
    )
    each = f"{counted(steps, 'step')} with up to {counted(plan.batch_size, 'row')}"
    training = f"{counted(plan.epochs, 'epoch')} of {each}, {held_out}"
    if plan.closed_form:
        training = "in closed form, from all rows"
    return {
        "data": f"{facts['place']}: {kind}, {counted(rows, 'row')} of {most}{times(facts['user_shape'])}, {missing}",
        "model": f"{type(estimator).__name__}: {network_of(estimator, plan)}, {counted(plan.parameters, 'parameter')}",
        "training": f"{training}; on {plan.device}, seed {plan.seed}",
        "memory": f"about {size(plan.memory)}, {where}",
        "files": written,
    }


def network_of(estimator: Estimator, plan: Plan) -> str:
    """The network in a line: architecture and code."""
    recipe = estimator.recipe()
    architecture = estimator.architecture or recipe.architecture or plan.modality.architecture()
    penalty = "" if recipe.penalty is None else f", penalty {brief(recipe.penalty)}"
    bottleneck: Any = plan.network.bottleneck
    each = getattr(bottleneck, "plan", (bottleneck,))[0]  # of members side by side, the first
    times_members = "" if each is bottleneck else f"{bottleneck.count} times "
    return f"{times_members}{brief(architecture)} around {brief(each)}{penalty}"


def brief(part: Part | str) -> str:
    """A part without the fields that are off, unless they are on by default.

    >>> from diabolo import MLP
    >>> brief(MLP(hidden=(8,)))
    "MLP(hidden=(8,), activation='silu')"
    """
    if isinstance(part, str):
        return part
    usual = {name: field.default for name, field in getattr(part, "__dataclass_fields__", {}).items()}
    own = part.get_params(deep=False)
    on = {name: value for name, value in own.items() if (value and value != "none") or usual.get(name, value) != value}
    return f"{type(part).__name__}({', '.join(f'{name}={value!r}' for name, value in on.items())})"
