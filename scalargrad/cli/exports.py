"""`scalargrad export`: a saved model as a module in JavaScript, and as a page that tries it."""

import argparse

from scalargrad.cli.options import check_writable, place, print_files


def add_export_options(parser: argparse.ArgumentParser) -> None:
    """The model and where it goes."""
    parser.add_argument("model", type=place, metavar="MODEL", help="what model.save() or --save wrote")
    parser.add_argument(
        "-o", "--out", type=place, metavar="FILE", help=".js or .mjs, and a page beside it; or .html, the page alone"
    )
    parser.add_argument("--shape", type=int, nargs="+", metavar="N", help="of one row, such as 1 28 28, if need be")


def run_export(options: argparse.Namespace) -> None:
    """Write a saved model as an ES module with predict(rows), and a page that tries it, without Python or a network."""
    from scalargrad.nn.loading import load  # behind these doors is NumPy, and help goes without
    from scalargrad.pages.exported import SUFFIXES, export

    out = options.out or options.model.with_suffix(".js")
    if out.suffix.lower() not in SUFFIXES:
        raise ValueError(f"-o {out} ends in none of {', '.join(SUFFIXES)}")
    files = {out: "the page, with the model inside"}
    if out.suffix.lower() != ".html":
        files = {out: "the module: predict(rows)", out.with_suffix(".html"): "a page that tries it"}
    for file in files:
        check_writable(file)
    model = load(options.model)
    for file in files:
        export(model, file, options.shape, title=options.model.stem)
    print_files(files)
