"""Build the lessons: run each script in percent format as a notebook, and keep its outputs.

    python notebooks/build.py             all of them
    python notebooks/build.py 3 10        only the lessons 3 and 10

The script is the source: edit it, then build. Lesson 9 shows MNIST if SCALARGRAD_DATA names its folder, as it should
where the notebook is committed. It takes nbclient, ipykernel and rsvg-convert (librsvg). A cell that
begins with `# %% figure="neuron.svg"` shows the drawing that is saved as figures/neuron.svg, for the README.
"""

import base64
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).resolve().parent
FIGURES = FOLDER / "figures"

WIDEST = 1800  # pixels of a picture, high or wide

# Says nothing about the machine it was built on.
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class Cell(NamedTuple):
    """A piece of a lesson: kind is "markdown" or "code"; figure names the file for the picture that it shows."""

    kind: str
    source: str
    figure: str = ""


def lessons() -> list[Path]:
    """The scripts, in the order of their numbers."""
    return sorted(FOLDER.glob("[0-9]*_*.py"), key=number_of)


def number_of(lesson: Path) -> int:
    """10 of 10_a_scikit_learn_estimator.py."""
    return int(lesson.name.split("_")[0])


def cells_of_script(path: Path) -> list[Cell]:
    """A script in jupytext's percent format, cell by cell; all of its text belongs to a cell."""
    head, *pieces = re.split(r"^# %%(.*)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if head.strip():
        raise ValueError(f"{path.name} has text before its first cell: {head.strip().splitlines()[0]!r}")
    cells = []
    for options, text in zip(pieces[::2], pieces[1::2], strict=True):
        source = text.strip("\n")
        if "[markdown]" in options:
            source = "\n".join(line.removeprefix("#").removeprefix(" ") for line in source.splitlines())
            cells.append(Cell("markdown", source))
        else:
            figure = re.search(r'figure="([^"]+)"', options)
            cells.append(Cell("code", source, figure[1] if figure else ""))
    return cells


def cells_of_notebook(path: Path) -> list[Cell]:
    """The same of a notebook, without its outputs."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [
        Cell(cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("figure", ""))
        for cell in notebook["cells"]
    ]


def executed(path: Path) -> Any:
    """The script as a notebook with its outputs, run in the folder of the lessons; an error in a cell is raised."""
    import nbformat
    from nbclient import NotebookClient

    cells: list[Any] = []
    for number, cell in enumerate(cells_of_script(path), 1):
        new = nbformat.v4.new_markdown_cell if cell.kind == "markdown" else nbformat.v4.new_code_cell
        metadata = {"figure": cell.figure} if cell.figure else {}
        cells.append(new(cell.source, metadata=metadata, id=f"cell-{number}"))
    notebook = nbformat.v4.new_notebook(cells=cells, metadata=METADATA)
    resources = {"metadata": {"path": str(FOLDER)}}
    # One stream of text a cell, however the kernel happened to cut it; and no times.
    options = {"kernel_name": "python3", "timeout": 300, "coalesce_streams": True, "record_timing": False}
    NotebookClient(notebook, resources=resources, **options).execute()
    notebook.metadata = nbformat.from_dict(METADATA)  # the kernel adds its version
    nbformat.validate(notebook)
    return notebook


def as_png(svg: str) -> bytes:
    """The drawing as pixels."""
    command = ["rsvg-convert", "--zoom", "1.25", "--background-color", "white"]
    return subprocess.run(command, input=svg.encode(), capture_output=True, check=True).stdout


def made_small(png: bytes) -> bytes:
    """The picture on few colours, at most WIDEST pixels wide."""
    from io import BytesIO

    from PIL import Image

    picture = Image.open(BytesIO(png)).convert("RGB")
    picture.thumbnail((WIDEST, WIDEST))
    small = BytesIO()
    picture.quantize(128, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    return small.getvalue()


def for_a_code_host(output: Any) -> None:
    """Change one output into what every code host shows: they leave out SVG, scripts and whole pages of HTML."""
    data = output.get("data", {})
    if "image/svg+xml" in data:
        data.pop("text/html", None)  # which would be shown in its place
        data["image/png"] = base64.b64encode(made_small(as_png(data.pop("image/svg+xml")))).decode()
    elif "image/png" in data:
        data["image/png"] = base64.b64encode(made_small(base64.b64decode(data["image/png"]))).decode()
    if "<iframe" in data.get("text/html", ""):
        del data["text/html"]


def build(path: Path) -> None:
    """Write the notebook beside the script, and the figures that others show."""
    import nbformat

    notebook = executed(path)
    for cell in notebook.cells:
        if name := cell.metadata.get("figure"):
            (FIGURES / name).write_text(cell.outputs[0].data["image/svg+xml"], encoding="utf-8", newline="\n")
        for output in cell.get("outputs", []):
            for_a_code_host(output)
    nbformat.write(notebook, path.with_suffix(".ipynb"))


def moving_moons(path: Path) -> None:
    """Write the film that `scalargrad moons --animate` makes, as a GIF: code hosts show it, and it is small."""
    from scalargrad.demos import moons
    from scalargrad.drawing import draw_frames

    settings, scene, frames = moons.Settings(), {}, []

    def show(title: str) -> None:
        frames.append(moons.boundary_frame(title=title, **scene))

    def before(model: Any, points: list, labels: list) -> None:
        scene.update(model=model, points=points, labels=labels)
        show("before training")

    def after_epoch(epoch: int, measures: Any) -> None:
        if epoch % (settings.epochs // moons.FRAMES) == 0:
            show(f"epoch {epoch}: accuracy {measures['accuracy']:.1%}")

    moons.learn(settings, before, after_epoch)
    draw_frames(frames, path, seconds=0.3)


if __name__ == "__main__":
    for lesson in lessons():
        if not sys.argv[1:] or str(number_of(lesson)) in sys.argv[1:]:
            build(lesson)
            print(f"{lesson.stem}.ipynb")
    for drawing in ("training_loop", "network"):  # drawn by hand
        svg = (FIGURES / f"{drawing}.svg").read_text(encoding="utf-8")
        (FIGURES / f"{drawing}.png").write_bytes(made_small(as_png(svg)))
    moving_moons(FIGURES / "moons.gif")
