"""A run compared with the reference results, told in the terminal."""

import dataclasses
import pathlib

from research.command import agreement
from research.experiment import Experiment
from research.folder import read_experiment
from research.plots.readable import count
from research.record import code, override
from research.results import Summary, read_json, read_summary


def matching(
  reference: Experiment, found: Experiment, folder: pathlib.Path
) -> Experiment:
  """What was run, if it is the reference or a part of it.

  Raises:
    ValueError: it is another experiment.
  """
  names = [name for name in found.names() if name in reference.names()]
  seeds = found.training.seeds
  if names:
    wanted = override(reference.only(tuple(names)), "training.seeds", seeds)
    if wanted.identity == found.only(tuple(names)).identity:
      return found.only(tuple(names))
  raise ValueError(
    f"--against = {str(folder)!r} holds another experiment "
    f"({found.name!r}, {found.identity}); allowed: a run of "
    f"{reference.name!r} as the reference has it ({reference.identity}), but "
    "for seeds and left-out variants"
  )


def print_comparison(
  folder: pathlib.Path, new: pathlib.Path, experiment: Experiment
) -> int:
  """Prints how two runs compare; 1 where they differ."""
  old, now = (_part(read_summary(place), experiment) for place in (folder, new))
  changed = agreement.other_machine(
    *(read_json(place / "environment.json") for place in (folder, new))
  )
  changed += [
    f"the code of the classes in {place}, since it was run"
    for place in (folder, new)
    if read_json(place / "experiment.json").get("code")
    != code(read_experiment(place))
  ]
  if (
    old.rows and now.rows and len(old.rows[0].values) != len(now.rows[0].values)
  ):
    changed.append("the number of seeds")
  differences = agreement.compare(old, now, same_machine=not changed)
  untested = agreement.untested(old, now) if changed else []
  print("\n".join(_explain(changed, untested)))
  for difference in differences:
    print(f"  {difference.kind}: {difference.where}: {difference.text}")
  print(
    f"{count(len(old.rows), 'row')} and {count(len(old.verdicts), 'verdict')} "
    f"of {experiment.name} compared: {count(len(differences), 'difference')}"
  )
  return 1 if differences else 0


def _part(summary: Summary, experiment: Experiment) -> Summary:
  """The rows and verdicts that are about what was run."""
  claims = [claim.name for claim in experiment.claims]
  return dataclasses.replace(
    summary,
    rows=tuple(r for r in summary.rows if experiment.has(r.variant, r.metric)),
    verdicts=tuple(r for r in summary.verdicts if r.claim in claims),
  )


def _explain(changed: list[str], untested: list[str]) -> list[str]:
  """What kind of comparison this is, and what it leaves out."""
  if not changed:
    return [
      "The machine, versions and code are the same: values have to be equal."
    ]
  lines = [
    "Compared by Welch's test for each row, at 1 % over all rows, as the "
    "runs differ in:",
    *(f"  {text}" for text in changed),
  ]
  if untested:
    lines.append("No test is possible (one seed, or a value not finite) for:")
    lines += [f"  {name}" for name in untested]
  return lines
