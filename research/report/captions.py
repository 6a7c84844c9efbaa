"""What is said of the figures of a run."""

from research.training.measures import MEASURES, initial

CAPTIONS = {
  "accuracy": (
    "{score} on fresh test examples",
    "Mean over seeds with its 95% interval; the small dots are the seeds. An "
    "upright stroke is the best possible score where it is known, the dotted "
    "line that of guessing.",
  ),
  "difficulty": (
    "{score} by {difficulty}",
    "Mean over seeds with 95% intervals; points of one slice stand side by "
    "side. Faint and dotted: the best possible, where it is known.",
  ),
  "tests": (
    "{score} on every test task",
    "Mean over seeds with 95% intervals; “test” is the task trained on.",
  ),
  "error_rate": (
    "Error rate of what was written",
    "Insertions, deletions and exchanges per token of the target; mean over "
    "seeds with its 95% interval, the small dots are the seeds.",
  ),
  "slope": (
    "Slope by {difficulty}",
    "How strongly the answer depends on the input that holds it, after "
    "training: log₁₀ of the gradient’s norm there over that at the input that "
    "asks; means over seeds with 95% intervals.",
  ),
  "gradient": (
    "Gradient by block",
    "log₁₀ of the norm of the loss’s gradient with respect to a block, after "
    "training; block 1 is next to the input. Means over seeds with 95% "
    "intervals.",
  ),
  "alignment": (
    "Alignment by layer",
    "The share of a cross-attention’s weights that lies on the true part of "
    "the source, after training; means over seeds with 95% intervals.",
  ),
  "monotonicity": (
    "Monotonicity by layer",
    "The share of tokens, from the second on, that are sought no further left "
    "in the source than the one before, after training; means over seeds with "
    "95% intervals.",
  ),
  "depth": (
    "{score} against depth",
    "Blocks of the model; 95% intervals. Variants of several depths are "
    "joined by a line.",
  ),
  "state_size": (
    "{score} against state size",
    "What is carried to the next token, over all layers, 4 bytes a number; "
    "95% intervals. Variants of several sizes are joined by a line.",
  ),
  "train_time": (
    "{score} against training time",
    "Time of the whole sweep, all seeds and learning rates; 95% intervals.",
  ),
  "flops": (
    "{score} against work per example",
    "Forward and backward, matrix products and FFTs; 95% intervals.",
  ),
  "curves": (
    "{score} on validation examples during training",
    "At the chosen learning rate: seeds thin, their mean thick, other "
    "variants grey. A dot ends a seed that reached the target and stopped, a "
    "cross one that diverged.",
  ),
}
"""Figure → its title, and how to read it."""

for _name in MEASURES:
  _title = CAPTIONS[_name][0]
  CAPTIONS[initial(_name)] = (
    f"Initial {_title[0].lower()}{_title[1:]}",
    "The same before training.",
  )
