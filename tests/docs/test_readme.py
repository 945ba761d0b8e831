"""Pages: what they quote is what the files say, what they link is there, and what they show runs."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import FOLDERS, PACKAGE, ROOT, in_a_checkout

README = (ROOT / "README.md").read_text(encoding="utf-8")
ENGINE, TRAINING = ((PACKAGE / name).read_text(encoding="utf-8") for name in ("README.md", "training/README.md"))
PAGES = [
    *ROOT.glob("*.md"),
    *PACKAGE.rglob("*.md"),
    *(path for name in ("notebooks", "benchmarks", ".github") for path in (ROOT / name).glob("*.md")),
]


def block(source: str, start: str) -> str:
    """A function's text in a file, from its `def` to the line before the next thing as far left."""
    lines = source.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith(start))
    indent = len(start) - len(start.lstrip())
    rest = lines[first + 1 :]
    end = next(i for i, line in enumerate(rest) if line.strip() and len(line) - len(line.lstrip()) <= indent)
    return "\n".join(lines[first : first + 1 + end]).rstrip()


@pytest.mark.parametrize("start", ["def topological_order(", "    def backward("])
def test_the_page_of_the_engine_quotes_it_whole(start):
    text = block((PACKAGE / "engine.py").read_text(encoding="utf-8"), start)
    assert text in ENGINE


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 160


def test_the_readme_shows_the_line_of_the_folders():
    assert " - ".join(FOLDERS) in README
    assert " - ".join(FOLDERS) in ENGINE
    rows = "".join(line for line in README.splitlines() if line.startswith("| [")).replace("](", " ")
    for folder in {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}:
        assert f"[{folder} scalargrad/{folder}" in rows, folder


def anchor(heading: str) -> str:
    """The id that code hosts give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@in_a_checkout
@pytest.mark.parametrize("page", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_file_and_heading_that_a_page_links_is_there(page):
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text(encoding="utf-8")):
        path, _, heading = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if heading:
            text = target.read_text(encoding="utf-8")
            functions = re.findall(r"^def (\w+)\(", text, re.MULTILINE) if target.suffix == ".py" else []
            assert heading in [*functions, *map(anchor, re.findall(r"^#+ (.*)", text, re.MULTILINE))], link


@in_a_checkout
def test_every_benchmark_is_in_the_table_of_benchmarks():
    folder = ROOT / "benchmarks"
    table = (folder / "README.md").read_text(encoding="utf-8")
    for path in [
        *folder.glob("results/*"),
        *(path for path in folder.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")),
    ]:
        assert f"]({path.relative_to(folder).as_posix()})" in table, path.name


def test_the_readme_never_installs_somebody_elses_package():
    assert not re.search(r"pip install scalargrad\b(?!-engine)", README)
    assert Path(ROOT / "pyproject.toml").read_text(encoding="utf-8").count('name = "scalargrad-engine"') == 1


@in_a_checkout
def test_other_systems_are_tested_with_the_commands_of_the_readme():
    workflow = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    for heading in ("Install and run", "Install and test"):
        command = re.search(rf"^{heading}.*?^```sh\n(.*?)\n```", README, re.DOTALL | re.MULTILINE)[1]
        on_windows = command.replace("python3 ", "python ").replace(".venv/bin/", ".venv/Scripts/")
        assert command != on_windows
        for line in (command, on_windows):
            assert workflow.count(f"\n          {line}\n") == 1
    assert f'"{sys.version_info[0]}.{sys.version_info[1]}"' in workflow


@in_a_checkout
def test_the_workflow_is_read_as_it_is_meant(yaml):
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))["jobs"]
    assert jobs["readme"]["strategy"]["matrix"] == {
        "system": ["ubuntu-latest", "macos-latest", "windows-latest"],
        "python": ["3.11", "3.12", "3.13", "3.14"],
    }
    conditions = [step["if"] for step in jobs["readme"]["steps"] if "run" in step]
    assert conditions == ["runner.os != 'Windows'", "runner.os == 'Windows'"]


# What takes JAX is no doctest: it runs here.


def code_with(words: str) -> str:
    (found,) = [code for code in re.findall(r"```python\n(.*?)```", TRAINING, re.DOTALL) if words in code]
    return found


def started(script: Path, **environment: str) -> subprocess.Popen:
    settings = {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT), **environment}
    return subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, encoding="utf-8", cwd=script.parent, env=os.environ | settings
    )


@pytest.mark.oracle("jax")
def test_the_script_for_several_machines_trains_in_two_processes(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(code_with("# train.py"), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        first = f"127.0.0.1:{free.getsockname()[1]}"
    processes = [started(script, FIRST=first, PROCESSES="2", PROCESS=str(rank)) for rank in range(2)]
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[0].splitlines()[-1].startswith("History(5 epochs: loss ")
    assert "History" not in outputs[1]
    assert {path.name for path in tmp_path.iterdir()} == {"train.py", "digits.safetensors", "run.safetensors"}


@pytest.mark.oracle("jax")
def test_the_code_for_users_of_jax_trains(tmp_path):
    script = tmp_path / "own.py"
    before = """
import jax, scalargrad
from scalargrad import MLP, cross_entropy
from scalargrad.datasets import load_digits
images, labels = load_digits()
model = MLP(64, [32, 10], init="he", rng=0)
"""
    after = "\nprint(model.evaluate(images, labels, 'cross_entropy').accuracy)\n"
    script.write_text(before + code_with("to_jax") + after, encoding="utf-8")
    output, _ = started(script).communicate(timeout=300)
    assert float(output.splitlines()[-1]) > 0.8
