"""Notebooks in a browser: JupyterLab, Notebook 7 and marimo, each run in Chromium as users run it.

They live in an environment of their own, whose folder SCALARGRAD_NOTEBOOKS names; the kernel there imports this
checkout.
"""

import json
import os
import re
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager

from tests.oracles.needed import PROGRAMS
from tests.paths import ROOT

SETTINGS = {  # of JupyterLab, by plugin
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "notebook-extension/tracker": {"windowingMode": "none"},  # cells out of sight are there, too
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def server(command, folder, port, environment, ready):
    """A server in a process of its own, once its page answers; its words go to a file."""
    with (folder / "server.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}{ready}", timeout=5).close()
                    break
                except OSError:
                    assert process.poll() is None, (folder / "server.log").read_text(encoding="utf-8")
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def environment_in(folder):
    """Variables for a server that leaves nothing outside of this folder."""
    places = {name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
    places |= {"JUPYTER_RUNTIME_DIR": str(folder / "runtime"), "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings")}
    return {**os.environ, **places, "HOME": str(folder), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}


@contextmanager
def jupyter(folder, dark=False):
    """A server of both JupyterLab and Notebook 7 for the notebooks in a folder; gives its address."""
    themes = {"apputils-extension/themes": {"theme": "JupyterLab Dark"}} if dark else {}
    for plugin, settings in {**SETTINGS, **themes}.items():
        path = folder / "settings" / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings), encoding="utf-8")
    port = free_port()
    command = [PROGRAMS["jupyterlab"], "--no-browser", f"--port={port}", "--IdentityProvider.token=", "--allow-root"]
    command += ["--ServerApp.port_retries=0", "--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={folder}"]
    with server(command, folder, port, environment_in(folder), "/api") as address:
        yield address


def write_notebook(path, cells):
    """A notebook of code cells without outputs."""
    written = [
        {
            "cell_type": "code",
            "id": f"cell-{place}",
            "metadata": {},
            "source": cell,
            "outputs": [],
            "execution_count": None,
        }
        for place, cell in enumerate(cells)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": written, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")


class Notebook:
    """A notebook that is open in a browser: its cells are run by the keyboard, as a user does."""

    def __init__(self, tab, address):
        self.tab = tab
        tab.add_locator_handler(tab.locator(".jp-Dialog"), self.accept)
        tab.goto(address)
        tab.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=60_000)
        tab.locator('[data-status="idle"], .jp-Notebook-ExecutionIndicator[data-status="idle"]').first.wait_for(
            state="attached", timeout=60_000
        )

    @staticmethod
    def accept(dialog):
        """A dialog of the application's own, as when its server was slow to answer: a user reads it and goes on."""
        print("accepted:", dialog.inner_text())
        dialog.locator(".jp-Dialog-footer button").last.click()  # the way on, where there are several

    def cell(self, place):
        return self.tab.locator(".jp-Notebook .jp-CodeCell").nth(place)

    def run(self, place, wait=True):
        """Run one cell; gives its outputs once it has been run."""
        before = self.count(place)
        for tick in range(600):
            if tick % 60 == 0 and self.count(place) == before:  # while the kernel starts, keys are not heard
                self.cell(place).locator(".cm-content").click()
                self.tab.keyboard.press("Control+Enter")
            if self.count(place) not in (before, *(["[*]:"] if wait else [])):
                break
            time.sleep(0.05)
        else:
            raise AssertionError(f"cell {place} was not run: {self.count(place)}")
        return self.cell(place).locator(".jp-OutputArea-output")

    def count(self, place):
        return self.cell(place).locator(".jp-InputPrompt").first.inner_text()

    def text(self, place):
        """Run a cell and read what it prints."""
        return re.sub(r"\s+", " ", self.run(place).first.inner_text()).strip()


@contextmanager
def marimo(folder, cells):
    """A server of marimo with a notebook of these cells; gives its address."""
    path = folder / "notebook.py"
    parts = ["import marimo\n\napp = marimo.App()\n"]
    for cell in cells:
        body = "\n".join(f"    {line}" for line in cell.splitlines())
        parts.append(f"\n\n@app.cell\ndef _():\n{body}\n    return\n")
    path.write_text("".join(parts), encoding="utf-8")
    port = free_port()
    command = [PROGRAMS["marimo"], "--yes", "edit", str(path), "--headless", "--no-token", f"--port={port}"]
    with server(command, folder, port, environment_in(folder), "/health") as address:
        yield address


class MarimoNotebook(Notebook):
    """The same for marimo."""

    def __init__(self, tab, address):
        self.tab = tab
        tab.goto(address)
        tab.locator(".marimo-cell").first.wait_for(timeout=60_000)

    def cell(self, place):
        return self.tab.locator(".marimo-cell").nth(place)

    def output(self, place):
        return self.cell(place).locator(".output")

    def run(self, place):
        self.cell(place).locator(".cm-content").click()
        self.tab.keyboard.press("Control+Enter")
        self.tab.wait_for_function(
            "place => { const cell = document.querySelectorAll('.marimo-cell')[place];"
            " return !cell.matches('.needs-run') }",
            arg=place,
        )
        return self.output(place)
