"""What the examples share: pictures to learn from, and a page that shows what came of it.

Every example prints its numbers and writes one HTML page without any request to elsewhere. ``--small`` takes the 1,797
digits that ship with scikit-learn, enlarged to the size of MNIST, so that it ends within seconds.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup
from scipy.ndimage import zoom

from diabolo.data.choosing import open_data
from diabolo.report.page import asset
from diabolo.report.pictures import contact_sheet, data_uri, diverging, visible
from diabolo.report.svg import Plot, element, join, limits

Labelled = tuple[np.ndarray, np.ndarray]
DIGITS_TO_TRAIN = 1400
SWITCHES = (
    "".join(
        f".map:has(.k{k}:not(:checked)) .g{k} {{ display: none; }} .g{k} {{ fill: var(--c{k}); }}" for k in range(10)
    )
    + ".wide td, .wide th { overflow-wrap: normal; white-space: nowrap; } "
    + ".sheet { max-width: 760px; } .map svg { max-width: 640px; } "
    + "label { margin-right: 14px; } h3 { margin-top: 28px; }"
    + "".join(f"svg .line.l{k} {{ stroke: var(--c{k}); }}" for k in range(10))
)


def digits(small: bool) -> tuple[Labelled, Labelled]:
    """Pictures (n, 28, 28) between 0 and 1 with their digits: those to learn from, and those to judge by."""
    if not small:
        return tuple(
            (np.asarray(s.read(0, s.rows)) / np.float32(255), s.labels) for s in map(open_data, ("mnist", "mnist:test"))
        )
    source = open_data("digits")
    large = zoom(source.read(0, source.rows).astype(np.float32) / 16, (1, 3, 3), order=1)
    pictures = np.pad(large, ((0, 0), (2, 2), (2, 2)))
    return tuple(
        (pictures[part], source.labels[part]) for part in (slice(DIGITS_TO_TRAIN), slice(DIGITS_TO_TRAIN, None))
    )


class Page:
    """A page that grows from top to bottom; what is said on it is printed too.

    Parameters
    ----------
    title : str
    """

    def __init__(self, title: str) -> None:
        self.title, self.parts = title, [element("h1", title)]
        print(f"# {title}\n")

    def say(self, text: str) -> None:
        """A paragraph."""
        print(text)
        self.parts.append(element("p", text))

    def table(self, title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table; numbers with four digits that matter."""
        lines = [
            list(header),
            *([f"{c:.4g}" if isinstance(c, (float, np.floating)) else str(c) for c in row] for row in rows),
        ]
        widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
        print(f"\n{title}")
        for line in lines:
            print(
                "  ".join(
                    cell.ljust(w) if k == 0 else cell.rjust(w)
                    for k, (cell, w) in enumerate(zip(line, widths, strict=True))
                )
            )
        print()
        head, *body = [
            element("th", line[0], class_="text") + join([element("td" if n else "th", cell) for cell in line[1:]])
            for n, line in enumerate(lines)
        ]
        self.parts += [
            element("h3", title),
            element(
                "div",
                element("table", element("thead", element("tr", head)), *(element("tr", row) for row in body)),
                class_="wide",
            ),
        ]

    def pictures(
        self, title: str, rows: Mapping[str, np.ndarray], signed: bool = False, columns: int | None = None
    ) -> None:
        """Rows of pictures (n, height, width), one below the other; signed ones warm above zero and cool below."""
        self.parts.append(element("h3", title))
        for name, row in rows.items():
            largest = float(np.abs(row).max())
            painted = diverging(row, largest) if signed else visible(np.clip(row, 0, 1)[..., None])
            sheet = contact_sheet(np.pad(painted, ((0, 0), (1, 1), (1, 1), (0, 0))), columns or len(row))
            self.parts += [element("figcaption", name), element("img", src=data_uri(sheet), alt=name, class_="sheet")]

    def curves(self, title: str, lines: Mapping[str, Sequence[float]], x_label: str, y_label: str) -> None:
        """Lines over epochs, counted from 1."""
        longest = max(map(len, lines.values()))
        plot = Plot((1, max(longest, 2)), limits([y for line in lines.values() for y in line]), width=640, height=320)
        drawn = [plot.line(range(1, len(y) + 1), y, f"l{k}") for k, y in enumerate(lines.values())]
        legend = [element("span", name, class_=f"key c{k}") for k, name in enumerate(lines)]
        figure = plot.draw(title, plot.axes(x_label, y_label), *drawn)
        self.parts += [
            element("h3", title),
            element("p", *legend, class_="legend"),
            element("div", figure, class_="sheet"),
        ]

    def scatter(self, title: str, points: np.ndarray, labels: np.ndarray, names: Sequence[str] | None = None) -> None:
        """Points in a plane by their label: each tells its place when pointed at, each label can be switched off.

        Labels are digits, or places among ``names``.
        """
        called = [str(k) for k in range(10)] if names is None else names
        plot = Plot(limits(points[:, 0]), limits(points[:, 1]), width=640, height=520)
        switches = [
            element(
                "label",
                Markup(f'<input type="checkbox" class="k{k}" checked>'),
                element("span", called[k], class_=f"key c{k}"),
            )
            for k in np.unique(labels).tolist()
        ]
        dots = [
            element(
                "circle",
                element("title", f"{called[k]} at ({x:.3g}, {y:.3g})"),
                cx=plot.across(x),
                cy=plot.down(y),
                r="2.6",
                class_=f"g{k}",
            )
            for (x, y), k in zip(points.tolist(), labels.tolist(), strict=True)
        ]
        self.parts += [
            element("h3", title),
            element("div", *switches, plot.draw(title, plot.axes("", ""), *dots), class_="map"),
        ]

    def write(self, path: Path) -> None:
        """Write it, and say where it lies."""
        style = Markup(asset("style.css") + SWITCHES)
        head = element(
            "head",
            Markup('<meta charset="utf-8"><meta name="viewport" content="width=device-width">'),
            element("title", self.title),
            element("style", style),
        )
        body = element("body", element("main", *self.parts))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<!doctype html>\n{element('html', head, body, lang='en')}\n", encoding="utf-8")
        print(f"-> {path}")


def run(experiment: Callable[[bool], Page]) -> None:
    """Run an experiment from the command line."""
    parser = argparse.ArgumentParser(description=experiment.__doc__)
    parser.add_argument("--small", action="store_true", help="enlarged 8 x 8 digits and few epochs: seconds")
    name = Path(experiment.__code__.co_filename).stem
    parser.add_argument("-o", "--output", type=Path, default=Path("out/examples") / f"{name}.html")
    options = parser.parse_args()
    experiment(options.small).write(options.output)
