import sys

import pytest

from research.command import pages


@pytest.fixture
def here(tmp_path, monkeypatch):
  """An empty current folder, a terminal of 80 columns, paths restored."""
  monkeypatch.chdir(tmp_path)
  monkeypatch.setattr(sys, "path", [*sys.path])
  monkeypatch.setenv("COLUMNS", "80")
  return tmp_path


@pytest.fixture
def own_pages(tmp_path, monkeypatch):
  """An empty folder in the place of the pages."""
  folder = tmp_path / "pages"
  folder.mkdir()
  monkeypatch.setattr(pages, "folder", lambda: folder)
  return folder
