"""The notebook runs from the first cell to the last."""

import pathlib

import nbformat
from nbclient import NotebookClient

ROOT = pathlib.Path(__file__).resolve().parents[1]


def test_the_notebook_runs(tmp_path, monkeypatch):
  monkeypatch.setenv("PYTHONPATH", str(ROOT))
  # The kernel talks over sockets of this machine; its debugger is not needed.
  monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
  notebook = nbformat.read(ROOT / "docs/laboratory.ipynb", as_version=4)
  client = NotebookClient(
    notebook, timeout=100, resources={"metadata": {"path": str(tmp_path)}}
  )
  client.execute()
  shown = notebook.cells[7].outputs[-1]["data"]
  assert "gru" in shown["text/html"]
