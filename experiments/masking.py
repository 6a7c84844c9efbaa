"""Masking (C18): does a decoder that sees the answer learn to write it?

Question. A decoder is trained on whole targets, each token asked for from
those before it. Without the causal mask it sees the token that it is asked
for, one place to the right. What does it score in training, and what can it
write by itself?

Prediction. With the mask both are right. Without it, or without it in one of
two layers, the decoder is right as long as it is shown the target, and has
learnt nothing else: what it writes is wrong. Refuted where a decoder without
the mask writes as well as one with it, or does not learn to look.

Command. `python -m experiments run masking`

Minutes. 6 on 2 cores with 5 seeds, beside other work.

Source. H. Lee, lectures on the Transformer (2021), in own words in
docs/questions.md; Vaswani et al. 2017, 3.2.3.
"""

from research.attention.layer import Attention
from research.experiment import Change, Claim, Experiment, Measure
from research.masks import Full
from research.models.encoder_decoder import Decoder, Encoder, EncoderDecoder
from research.models.feed_forward import FeedForward
from research.models.hybrid import Hybrid
from research.tasks.reverse import Reverse
from research.training.record import SMOKE, Training

BACKGROUND = """\
Vaswani 2017 masks the decoder's self-attention so that the prediction for a
position depends on the outputs before it alone; with the target shifted by
one, that is all that keeps the answer out of sight. No numbers are known of
what happens without. A decoder that is not causal has no cache: here it reads
all that it wrote anew for every token, with nothing behind the last one, so
that it is not its generation that is to blame. All variants train for the
same number of steps, whatever they score."""

_HEADS = 4
_CAUSAL = Attention(heads=_HEADS)
_SEEING = Attention(heads=_HEADS, mask=Full())


def experiment(scale: str) -> Experiment:
  """The page at a scale: "smoke", "laptop" or "accelerator"."""
  task, model, training = _BASES[scale]
  return Experiment(
    name="masking",
    question=(
      "What does a decoder learn that is trained without the causal mask?"
    ),
    background=BACKGROUND,
    task=task,
    model=model,
    training=training,
    variants=(
      Change("masked"),
      Change("unmasked", (("model.decoder.mixer", _SEEING),)),
      Change(
        "half_masked",
        (("model.decoder.mixer", Hybrid((_CAUSAL, _SEEING))),),
      ),
    ),
    claims=_CLAIMS,
    difficulty="size",
    scale=scale,
  )


_CLAIMS = (
  Claim(
    "masked-writes",
    "With the mask, 0.9 or more of all targets are written without an error.",
    Measure("masked", metric="sequence_accuracy"),
    "zero",
    0.9,
  ),
  *(
    claim
    for name, words in (
      ("unmasked", "Without the mask"),
      ("half_masked", "Without the mask in one of two layers"),
    )
    for claim in (
      Claim(
        f"{name}-looks",
        f"{words}, 0.99 or more of all tokens are right while the target is "
        "shown.",
        Measure(name),
        "zero",
        0.99,
      ),
      Claim(
        f"{name}-fails",
        f"{words}, what is written has more errors a token than with it, by "
        "0.5 or more.",
        Measure(name, metric="error_rate"),
        Measure("masked", metric="error_rate"),
        0.5,
      ),
    )
  ),
)


def _model(width: int, layers: int, expansion: int) -> EncoderDecoder:
  feed_forward = FeedForward(expansion)
  return EncoderDecoder(
    encoder=Encoder(_SEEING, layers, feed_forward),
    decoder=Decoder(_CAUSAL, layers, feed_forward, cross=_SEEING),
    width=width,
  )


_BASES = {
  "smoke": (Reverse(longest=4), _model(16, 2, 1), SMOKE),
  "laptop": (
    Reverse(symbols=8, longest=8),
    _model(64, 2, 2),
    Training(
      steps=1500,
      batch=64,
      learning_rates=(1e-3, 3e-3),
      seeds=5,
      target=1.1,
      test=1024,
    ),
  ),
  "accelerator": (
    Reverse(symbols=64, longest=64),
    _model(256, 4, 4),
    Training(
      steps=20_000,
      batch=256,
      learning_rates=(3e-4, 1e-3),
      seeds=5,
      warmup=500,
      schedule="cosine",
      evaluate_every=500,
      target=1.1,
    ),
  ),
}
