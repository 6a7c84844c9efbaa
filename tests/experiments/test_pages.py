"""The pages: every one fits at every scale, and runs at the smallest."""

import dataclasses
import importlib

import pytest

from research.command import pages
from research.experiment import COSTS, Measure
from research.preparation import prepare
from research.report.write import write_report
from research.run import run

PAGES = pages.names()
SCALES = ("laptop", "accelerator")
"""Those that are tried; at "smoke" a part of every page is run."""
FAST = ("recall", "attention_cost")
"""A page that trains and one that times; `make pages` runs the others."""
TRIED = [
  pytest.param(name, marks=() if name in FAST else pytest.mark.pages)
  for name in PAGES
]


def page(name, scale):
  return importlib.import_module(f"experiments.{name}").experiment(scale)


def smallest(experiment):
  """The fewest variants that a claim is about: compiling takes the time.

  That every variant can be built is a test of its own.
  """
  about = [
    {
      side.variant
      for side in (claim.left, claim.right)
      if isinstance(side, Measure)
    }
    for claim in experiment.claims
  ]
  parts = [experiment.only((*names,)) for names in sorted(about, key=len)]
  return next(part for part in parts if part.claims)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", TRIED)
def test_a_page_fits(name, scale):
  experiment = page(name, scale)
  assert (experiment.name, experiment.scale) == (name, scale)
  assert prepare(experiment).keys() == set(experiment.names())


@pytest.mark.parametrize("name", TRIED)
def test_a_page_runs(name, tmp_path):
  experiment = smallest(page(name, "smoke"))
  timed = experiment.timed and any(
    claim.unit == "round" for claim in experiment.claims
  )
  experiment = dataclasses.replace(experiment, timed=timed)
  comparison = run(experiment, out=tmp_path / "run")
  claims = {claim.name for claim in experiment.claims}
  assert {row.claim for row in comparison.summary.verdicts} == claims
  for claim in experiment.claims:
    for side in (claim.left, claim.right):
      if isinstance(side, Measure) and side.metric not in COSTS:
        row = (side.variant, side.task, side.slice, side.metric)
        assert comparison.summary.find(*row) is not None, row
  text = write_report(comparison.folder).read_text()
  for name in experiment.names():
    assert name in text
