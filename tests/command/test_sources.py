import dataclasses
import json

import pytest

from research.command import pages, sources
from tests.command import tiny


@pytest.fixture
def reference(own_pages):
  """Puts a reference experiment of a scale into a folder."""

  def put(folder, scale):
    place = own_pages / "reference" / folder
    place.mkdir(parents=True)
    chosen = dataclasses.replace(tiny.experiment(), scale=scale)
    document = tiny.document(chosen)
    (place / "experiment.json").write_text(json.dumps(document))
    return place

  return put


def test_pages_are_the_files_of_the_folder(own_pages):
  for name in ("recall", "labelling", "__init__", "__main__"):
    (own_pages / f"{name}.py").write_text("")
  assert pages.names() == ["labelling", "recall"]
  assert pages.check("recall") == "recall"
  with pytest.raises(ValueError) as caught:
    pages.check("recal")
  assert str(caught.value) == "experiment = 'recal'; did you mean recall?"


def test_the_project_has_its_pages():
  assert {"labelling", "recall"} <= set(pages.names())


def test_a_file_gives_the_experiment_it_holds(tmp_path):
  assert sources.load(tiny.write(tmp_path)) == tiny.experiment()
  assert sources.load(tiny.write(tmp_path), "laptop").name == "tiny"


def test_a_file_has_the_scale_it_has(tmp_path):
  with pytest.raises(ValueError, match="'smoke'.*'laptop'; allowed: leave"):
    sources.load(tiny.write(tmp_path), "smoke")


@pytest.mark.parametrize(
  ("text", "words"),
  [
    ("{", "damaged"),
    ("[]", "version"),
    ('{"version": 2}', "version = 2; allowed: 1"),
    ('{"version": 1, "experiment": {"class": "a.b:C"}}', "'a.b:C'"),
  ],
)
def test_a_file_that_is_no_experiment_is_refused(tmp_path, text, words):
  file = tmp_path / "wrong.json"
  file.write_text(text)
  with pytest.raises(ValueError, match=words):
    sources.load(str(file))


def test_a_missing_file_is_refused():
  with pytest.raises(ValueError, match="nowhere.json cannot be read"):
    sources.load("nowhere.json")


def test_references_are_found_by_experiment_and_scale(reference):
  large = reference("a_large_one", "accelerator")
  assert pages.reference("tiny") == large
  laptop = reference("tiny", "laptop")
  assert pages.reference("tiny") == laptop
  assert pages.reference("tiny", "accelerator") == large
  with pytest.raises(ValueError, match="'smoke'.*allowed: laptop, acc|tiny"):
    pages.reference("tiny", "smoke")
  with pytest.raises(ValueError, match="'tini'.*did you mean tiny"):
    pages.reference("tini")


def test_no_references_are_told(own_pages):
  with pytest.raises(ValueError, match="there are none"):
    pages.reference("tiny")
