"""Transduction: which mixer makes the better encoder and decoder, at what?

Question. One sequence is rewritten as another: tokens reversed, sorted, two
numbers added, dates brought into one form, sentences translated between
languages of other word order. An encoder and a decoder mix by attention, by
LSTMs, by linear attention or by convolutions; the decoder always attends to
the encoder. With about as many parameters, what do they learn to write?

Prediction. Where every token of the target is found at one place of the
source (reversal, dates), cross-attention is enough, and all four mixers
write nearly without errors. Sorting and translation need more of the encoder
and decoder than that: attention and the LSTM do them, and convolutions of five
taps fall behind in translation, whose clauses are longer. Addition needs a
carry that runs from right to left, which the LSTM keeps. Refuted where an
error rate misses the stated one.

Command. `python -m experiments run transduction`

Minutes. 37 on 2 cores with 5 seeds, beside other work.

Source. Vaswani et al. 2017; Bahdanau et al. 2015 (recurrent), Gehring et al.
2017 (convolutional), Katharopoulos et al. 2020 (linear attention).
"""

from research.attention.layer import Attention
from research.convolution.short import ShortConvolution
from research.experiment import Change, Claim, Experiment, Measure
from research.linear.elu import LinearAttention
from research.masks import Full
from research.mixer import Mixer
from research.models.encoder_decoder import Decoder, Encoder, EncoderDecoder
from research.models.feed_forward import FeedForward
from research.recurrence.bidirectional import Bidirectional
from research.recurrence.lstm import LSTM
from research.tasks.addition import Addition
from research.tasks.dates import Dates
from research.tasks.grammar import Grammar
from research.tasks.reverse import Reverse
from research.tasks.sorting import Sort
from research.tasks.transduction import Transduction
from research.training.record import SMOKE, Training

BACKGROUND = """\
Bahdanau 2015 adds attention to recurrent encoders and decoders, Gehring 2017
replaces both by convolutions, Vaswani 2017 by attention (WMT'14 English to
German: 25.16 BLEU by the convolutions, 28.4 by the big Transformer), all with
cross-attention. Katharopoulos 2020 and later linear mixers are mostly compared
as decoders alone. Lee 2023 shows that addition is learnt far sooner if the sum
is written from its last digit on; here it is written from the first. No
comparison is known in which encoder and decoder mixers are exchanged on small
tasks of this kind.

All variants add sinusoidal positions, have the same width and depth, and the
same cross-attention. LSTMs have fewer units than the width, so that they have
as many parameters as attention; convolutions have a tenth fewer. All train for
the same number of steps, whatever they score. In a pilot, wider LSTMs,
attention and linear attention were seen to learn reversal."""

_HEADS = 4
_MIXERS = ("attention", "lstm", "linear", "convolution")


def _mixer(name: str, width: int) -> tuple[tuple[str, Mixer], ...]:
  """A mixer for both sides; LSTMs are narrower, as each has four kernels."""
  part = 11 * width // 32
  reader, writer = {
    "attention": (Attention(_HEADS, Full()), Attention(_HEADS)),
    "lstm": (
      Bidirectional(LSTM(part), LSTM(part, reverse=True), join="sum"),
      LSTM(width // 2),
    ),
    "linear": (
      LinearAttention(heads=_HEADS, bidirectional=True),
      LinearAttention(heads=_HEADS),
    ),
    "convolution": (
      ShortConvolution(kernel_size=5, centred=True),
      ShortConvolution(kernel_size=5),
    ),
  }[name]
  return (("model.encoder.mixer", reader), ("model.decoder.mixer", writer))


def experiment(scale: str) -> Experiment:
  """The page at a scale: "smoke", "laptop" or "accelerator"."""
  tasks, model, training = _BASES[scale]
  return Experiment(
    name="transduction",
    question=(
      "Which mixer makes the better encoder and decoder, for which rewriting?"
    ),
    background=BACKGROUND,
    task=tasks["reverse"],
    model=model,
    training=training,
    variants=tuple(
      Change(
        f"{task}_{mixer}", (("task", tasks[task]), *_mixer(mixer, model.width))
      )
      for task in tasks
      for mixer in _MIXERS
    ),
    claims=_CLAIMS,
    scale=scale,
  )


def _model(width: int, layers: int) -> EncoderDecoder:
  feed_forward = FeedForward(expansion=2)
  cross = Attention(_HEADS, Full())
  return EncoderDecoder(
    encoder=Encoder(layers=layers, feed_forward=feed_forward),
    decoder=Decoder(layers=layers, feed_forward=feed_forward, cross=cross),
    width=width,
  )


_BASES: dict[str, tuple[dict[str, Transduction], EncoderDecoder, Training]] = {
  "smoke": (
    {
      "reverse": Reverse(longest=3),
      "sort": Sort(longest=3),
      "addition": Addition(digits=1),
      "dates": Dates(),
      "grammar": Grammar(depth=0),
    },
    _model(16, 1),
    SMOKE,
  ),
  "laptop": (
    {
      "reverse": Reverse(symbols=16, longest=12),
      "sort": Sort(symbols=16, longest=12),
      "addition": Addition(digits=3),
      "dates": Dates(),
      "grammar": Grammar(),
    },
    _model(64, 2),
    Training(
      steps=1200,
      batch=32,
      learning_rates=(1e-3, 3e-3),
      seeds=5,
      schedule="cosine",
      target=1.1,
      test=1024,
    ),
  ),
  "accelerator": (
    {
      "reverse": Reverse(symbols=64, longest=64),
      "sort": Sort(symbols=64, longest=64),
      "addition": Addition(digits=10),
      "dates": Dates(),
      "grammar": Grammar(nouns=16, verbs=16, adjectives=8, depth=4),
    },
    _model(256, 4),
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

_WORDS = {
  "attention": "attention layers",
  "lstm": "LSTMs",
  "linear": "layers of linear attention",
  "convolution": "convolutions",
}

_DONE = {
  "reverse": ("Reversal", _MIXERS),
  "dates": ("Dates", _MIXERS),
  "sort": ("Sorting", ("attention", "lstm")),
  "grammar": ("Translation", ("attention", "lstm")),
}

_CLAIMS = (
  *(
    Claim(
      f"{task}-{mixer}",
      f"{words}: {_WORDS[mixer]} write 5 wrong tokens in 100 or fewer.",
      "zero",
      Measure(f"{task}_{mixer}", metric="error_rate"),
      -0.05,
    )
    for task, (words, mixers) in _DONE.items()
    for mixer in mixers
  ),
  Claim(
    "grammar-reach",
    "Translation: convolutions make more errors a token than attention, by "
    "0.05 or more.",
    Measure("grammar_convolution", metric="error_rate"),
    Measure("grammar_attention", metric="error_rate"),
    0.05,
  ),
  Claim(
    "addition-carry",
    "Addition: attention makes more errors a token than LSTMs, by 0.02 or "
    "more.",
    Measure("addition_attention", metric="error_rate"),
    Measure("addition_lstm", metric="error_rate"),
    0.02,
  ),
)
