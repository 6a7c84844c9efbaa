"""What stands in a report, in this order; formats come after.

The question, the verdicts, the short answer, the score by slice, figures,
what the literature says beside what came out, what was run on what, how sure
it is, and how to run it again.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from research.experiment import Claim, Experiment, Measure
from research.plots.readable import (
  count,
  estimate,
  fixed,
  interval,
  over,
  seconds,
  tiny,
)
from research.report import (
  length_account,
  length_generation,
  length_tables,
  tables,
)
from research.report.account import (
  again,
  certainty,
  machine,
  measure_defined,
  number,
  said,
  sweep,
  what_was_run,
)
from research.report.document import (
  Block,
  Columns,
  Document,
  Picture,
  Ruling,
  Section,
  Text,
)
from research.results import Row, Summary, VerdictRow
from research.statistics.verdict import SEEDS_LIMIT
from research.training.measures import initial


def contents(
  experiment: Experiment,
  summary: Summary,
  pictures: Sequence[Picture],
  about: Mapping[str, Any],
  environment: Mapping[str, Any],
) -> Document:
  """The report of a run.

  Args:
    experiment: the record.
    summary: its numbers and verdicts.
    pictures: its figures.
    about: `experiment.json`: the command, the scale and the identity.
    environment: `environment.json`.
  """
  make = _measured if experiment.lengths else _trained
  sections = (
    Section(
      "Verdicts", (*_warnings(experiment), *_rulings(experiment, summary))
    ),
    *make(experiment, summary, Section("Figures", tuple(pictures))),
    Section("Machine", (machine(environment),)),
    Section(
      "How sure",
      length_account.certainty(experiment)
      if experiment.lengths
      else certainty(experiment),
    ),
    Section("Run it again", again(experiment, about)),
  )
  spent = seconds(number(environment.get("seconds")))
  facts = (
    f"scale {experiment.scale}",
    count(len(experiment.variants), "variant"),
    sweep(experiment),
    f"{spent} on {said(environment, 'device')}",
    said(environment, "date").partition("T")[0],
  )
  kept = tuple(section for section in sections if section.blocks)
  return Document(experiment.name, experiment.question, facts, kept)


def _trained(
  experiment: Experiment, summary: Summary, figures: Section
) -> tuple[Section, ...]:
  """What came out of training."""
  outcome = _outcome(experiment, summary, _reached(experiment, summary))
  return (
    Section("Short answer", _answer(experiment, summary)),
    Section("By slice", _slices(experiment, summary)),
    figures,
    Section("Background and outcome", (outcome,)),
    Section("What was run", what_was_run(experiment)),
  )


def _measured(
  experiment: Experiment, summary: Summary, figures: Section
) -> tuple[Section, ...]:
  """What came out of mixers that were timed alone."""
  both = (length_tables, length_generation)
  answer = [one.short_answer(experiment, summary) for one in both]
  lengths = [one.by_length(experiment, summary) for one in both]
  reached = [text for one in both for text in one.reached(experiment, summary)]
  return (
    Section("Short answer", tuple(itertools.chain(*answer))),
    figures,
    Section("By length", tuple(itertools.chain(*lengths))),
    Section(
      "Background and outcome", (_outcome(experiment, summary, reached),)
    ),
    Section("What was run", length_account.what_was_run(experiment)),
  )


def _warnings(experiment: Experiment) -> list[Block]:
  """What nobody may miss."""
  tested = [
    name
    for name in experiment.names()
    if experiment.variant(name).training.selection == "test"
  ]
  if not tested:
    return []
  return [
    Text(
      "selection = “test”: the learning rate was chosen by the score on the "
      f"test examples themselves ({', '.join(tested)}). Their scores are "
      "too high, and no evidence; the rule exists only to follow published "
      "protocols.",
      loud=True,
    )
  ]


def _rulings(experiment: Experiment, summary: Summary) -> list[Block]:
  if not summary.verdicts:
    return [Text("No claim was made before the run.")]
  claims = {claim.name: claim for claim in experiment.claims}
  return [_ruling(row, claims.get(row.claim)) for row in summary.verdicts]


def _ruling(row: VerdictRow, claim: Claim | None) -> Ruling:
  details = [
    f"Difference {estimate(row.estimate, row.low, row.high)}, "
    f"smallest effect {tiny(row.smallest_effect)}, "
    f"{over(row.seeds, row.unit)}."
  ]
  if claim is not None:
    left, right = _side(claim.left), _side(claim.right)
    share = f" as a share of {right}" if claim.relative else ""
    details.append(f"Measured: {left} − {right}{share}.")
  if row.verdict == "undecided":
    details.append(
      f"{count(row.seeds_needed, row.unit)} would decide it, at this spread."
      if row.seeds_needed is not None
      else f"No number of {row.unit}s that can be told would decide it (none "
      f"below {SEEDS_LIMIT}, or the spread is unknown)."
    )
  return Ruling(
    row.verdict,  # type: ignore[arg-type]
    row.text,
    tuple(details),
    row.estimate,
    row.low,
    row.high,
    row.smallest_effect,
  )


def _side(side: Measure | str) -> str:
  if isinstance(side, str):
    return side
  where = [] if side.slice == "all" else [side.slice]
  where += [] if side.task == "test" else [f"task {side.task}"]
  told = f" ({', '.join(where)})" if where else ""
  return f"{side.metric.replace('_', ' ')} of {side.variant}{told}"


def _answer(experiment: Experiment, summary: Summary) -> tuple[Block, ...]:
  rows = tables.ranked(experiment, summary)
  if not rows:
    return (Text("There are no scores."),)
  lost = [
    f"{row.variant} (seed {seed})"
    for row in rows
    for seed, value in enumerate(row.values)
    if not math.isfinite(value)
  ]
  note = Text(
    f"Diverged: {', '.join(lost)}. A variant with a diverged seed has no mean."
  )
  return (tables.answer(experiment, summary), *([note] if lost else []))


def _slices(experiment: Experiment, summary: Summary) -> tuple[Block, ...]:
  found: list[Block] = []
  for task in tables.tasks(summary.rows):
    found += tables.by_slice(experiment, summary, task)
    if task == "test":
      among = tables.by_task(experiment, summary)
      found += [] if among is None else [among]
    for metric in tables.written(summary.rows):
      found += tables.by_slice(experiment, summary, task, metric)
  for measure in experiment.measures:
    found.append(measure_defined(experiment, measure))
    for metric in (measure, initial(measure)):
      found += tables.by_slice(experiment, summary, "test", metric)
  if summary.rows:
    found.append(tables.by_seed(experiment, summary))
  return tuple(found)


def _reached(experiment: Experiment, summary: Summary) -> list[str]:
  """The scores, the best first, in sentences; what was written before all."""
  best = tables.ranked(experiment, summary)
  if not best:
    return []
  found = {}
  for name in tables.written(summary.rows):
    rows = (summary.find(row.variant, metric=name) for row in best)
    found[tables.title(experiment, name)] = [row for row in rows if row]
  found[tables.title(experiment)] = best
  return [
    f"{title}{'' if i else ' here, the best first'}: {_told(rows)}."
    for i, (title, rows) in enumerate(found.items())
  ]


def _told(rows: Sequence[Row]) -> str:
  return "; ".join(
    f"{row.variant} {fixed(row.mean)} {interval(row.low, row.high)}"
    for row in rows
  )


def _outcome(
  experiment: Experiment, summary: Summary, reached: list[str]
) -> Block:
  """What was known beside what came out."""
  known = [part for part in experiment.background.split("\n\n") if part.strip()]
  told = reached + [
    f"{row.verdict.capitalize()}: {row.text}" for row in summary.verdicts
  ]
  return Columns(
    (
      ("What the literature reports", tuple(known) or ("Nothing is quoted.",)),
      ("What came out here", tuple(told) or ("There are no scores.",)),
    )
  )
