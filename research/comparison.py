"""A finished run, read back from its folder."""

import dataclasses
import pathlib
import zipfile
from typing import Any

import numpy as np

from research.experiment import Experiment
from research.folder import read_curves, read_experiment
from research.models.model import Model
from research.results import Summary, read_summary
from research.training.plan import fit


@dataclasses.dataclass(frozen=True)
class Comparison:
  """A finished run, as its folder tells it."""

  experiment: Experiment
  summary: Summary
  curves: list[dict[str, Any]]
  folder: pathlib.Path

  def model(self, variant: str, seed: int = 0) -> tuple[Model, dict[str, Any]]:
    """The model of a variant and its trained parameters.

    Raises:
      ValueError: no such variant or seed, its file is damaged, or nothing
        was trained.
    """
    chosen = self.experiment.variant(variant)
    check_trained(self.experiment)
    seeds = chosen.training.seeds
    if not 0 <= seed < seeds:
      raise ValueError(f"seed = {seed}; allowed: 0 to {seeds - 1}")
    parameters = _parameters(
      self.folder / "parameters" / f"{variant}.npz", seed
    )
    return fit(chosen.model, chosen.task), {"params": parameters}

  def figures(self) -> dict[str, Any]:
    """The report's figures by name (matplotlib figures)."""
    from research.report.write import figures

    return figures(self.experiment, self.summary, self.curves)

  def _repr_html_(self) -> str:
    from research.report.write import table

    return table(self.summary, self.experiment, "html")


def check_trained(experiment: Experiment) -> None:
  """Refuses an experiment that has no trained models.

  Raises:
    ValueError: its mixers were timed alone.
  """
  if experiment.lengths:
    raise ValueError(
      f"experiment = {experiment.name!r} has no trained models, as its mixers "
      "were timed alone; allowed: an experiment without lengths"
    )


def load(run_dir: str | pathlib.Path) -> Comparison:
  """Reads a finished run back.

  Raises:
    ValueError: a file is missing, damaged or of another version.
  """
  folder = pathlib.Path(run_dir)
  return Comparison(
    read_experiment(folder), read_summary(folder), read_curves(folder), folder
  )


def _parameters(path: pathlib.Path, seed: int) -> dict[str, Any]:
  """The `params` collection of one seed."""
  tree: dict[str, Any] = {}
  try:
    with np.load(path, allow_pickle=False) as file:
      for name in file.files:
        *above, last = name.split("/")
        place = tree
        for part in above:
          place = place.setdefault(part, {})
        place[last] = file[name][seed]
  except (OSError, EOFError, ValueError, zipfile.BadZipFile) as error:
    raise ValueError(f"{path} cannot be read: {error}") from error
  return tree
