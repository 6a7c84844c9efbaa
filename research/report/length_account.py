"""How mixers were timed alone: what was run, and how sure the numbers are."""

from research.experiment import Experiment
from research.lengths.exponents import fitted
from research.lengths.generation import LAST
from research.lengths.measure import MOST_BYTES, MOST_SECONDS, TURN
from research.report.account import changes, outline
from research.report.document import Block, Code, Facts, Text
from research.timing import ROUNDS


def what_was_run(experiment: Experiment) -> tuple[Block, ...]:
  """The mixers and their inputs, in words and in full."""
  model, lengths = experiment.model, experiment.lengths
  variants = tuple(
    (one.name, changes(one.fields)) for one in experiment.variants
  )
  limit = f"{MOST_BYTES / 2**30:.0f} GiB"
  return (
    Facts(
      (
        ("Scale", experiment.scale),
        ("Timed", "the mixer of each variant alone: its output, and the "
         "gradients with respect to its parameters and its input"),
        ("Input", f"random numbers, {experiment.training.batch} × length × "
         f"{model.width}, {model.precision}"),
        ("Lengths", ", ".join(f"{length:,}" for length in lengths)),
        ("Turns", f"{ROUNDS} rounds of all variants and lengths; a call is "
         f"repeated until its turn has lasted {TURN * 1000:.0f} ms"),
        ("Limit", f"a program is run if it takes {limit} of temporary "
         "memory or less, and a call at each shorter length takes "
         f"{MOST_SECONDS:g} s or less"),
        *_also(experiment),
      )
    ),
    Text("Variants, as changes of the base:"),
    Facts(variants),
    Code(
      "\n".join((type(model.mixer).__name__, *outline(model.mixer, 1))),
      "Mixer of the base",
    ),
  )  # fmt: skip


def _also(experiment: Experiment) -> list[tuple[str, str]]:
  """What was done besides."""
  found = []
  if experiment.generation:
    found.append(
      ("Token by token", "causal mixers read the same input one token a "
       f"call, from an empty cache made for its length; the last {LAST} tokens "
       "are timed, again and again from a copy of the cache before them, what "
       "it takes to call the program included")
    )  # fmt: skip
  found += [
    ("Have to agree", f"{', '.join(group)}: with the parameters of {group[0]}, "
     "and the same input and gradient of the output")
    for group in experiment.same
  ]  # fmt: skip
  return found


def certainty(experiment: Experiment) -> tuple[Block, ...]:
  """How numbers, intervals and verdicts are made."""
  return (
    Text(
      f"Times are those of {ROUNDS} rounds in one process, in which all "
      "variants and lengths took turns: what slows the machine down for a "
      "while slows all of them. Intervals are 95% intervals of Student’s t "
      "over the rounds; they say nothing about another process or machine."
    ),
    Text(
      "A time exponent is the slope of the least-squares line of log time on "
      f"log length, one line a round, {span(experiment)}. It describes these "
      "lengths: at short ones the work that every length has counts, at long "
      "ones caches that are too small."
    ),
    *_more(experiment),
    Text(
      "Memory is what the compiled program reserves for temporary arrays, by "
      "the compiler’s own analysis. It is the same in every round, so it and "
      "its exponent have no interval and are compared exactly."
    ),
    Text(
      "A claim, its measure and the smallest effect that matters are fixed "
      "before the run. About times it holds if the whole interval of the "
      "difference, paired within the rounds, lies at or above the smallest "
      "effect, is refuted if the whole interval lies below it, and is "
      "undecided otherwise. Every interval and verdict stands alone: they are "
      "not corrected for their number."
    ),
  )


def _more(experiment: Experiment) -> list[Text]:
  """About tokens one by one, forms, and crossings."""
  found = []
  if experiment.generation:
    found.append(
      Text(
        "The time of a token is that of one call of a program that was "
        "compiled once for all tokens of a stream. The state is counted: all "
        "arrays of the cache. Softmax attention reads the keys and values "
        "that it has kept; it does not compute them again."
      )
    )
  if experiment.generation or experiment.same:
    found.append(
      Text(
        "A difference is the largest absolute one over the largest absolute "
        "number of the reference, array by array; the largest of these is "
        "told. For it, products are computed with all digits of float32, also "
        "where a device uses fewer by default."
      )
    )
  found.append(
    Text(
      "Two curves are told apart at a length if the 95% interval of the log "
      "of their ratio, paired within the rounds, excludes zero. They cross "
      "between two such lengths with different orders, where the straight "
      "lines through their means meet on log axes. Nothing is said about "
      "lengths beyond those that were run."
    )
  )
  return found


def span(experiment: Experiment) -> str:
  """The lengths that exponents are fitted over, in words."""
  used = fitted(experiment.lengths)
  return (
    f"over the lengths {used[0]:,} to {used[-1]:,}, as far as they were run"
  )
