"""Alignment (C19): does cross-attention learn where to listen?

Question. A sound is transcribed: characters became tones of varying length,
speed and loudness, with noise and overlap, and the frames of each are known.
Nothing tells the model which frames a character is made from. Where does the
decoder look when it writes one, before training and after? And does it
transcribe phrases that it never heard?

Prediction. After training the cross-attention of the last layer lies on the
true frames, and moves on with the text; before training it lies anywhere. So
says the lecture. Where the characters before tell which one comes, less need
be heard: with the characters of each phrase shuffled, the alignment is
closer. Fewer than 2 characters in 100 are wrong in phrases that were kept
apart. Refuted where a share of weights, of steps or of errors misses the
stated one.

Command. `python -m experiments run alignment`, then
`mixerlab attention alignment --variant attention` to see the maps.

Minutes. 23 on 2 cores with 5 seeds, beside other work.

Source. H. Lee, lectures on the Transformer (2021), in own words in
docs/questions.md; Bahdanau et al. 2015, Chan et al. 2016.
"""

from research.attention.layer import Attention
from research.experiment import Change, Claim, Experiment, Measure
from research.masks import Full
from research.models.encoder_decoder import Decoder, Encoder, EncoderDecoder
from research.models.feed_forward import FeedForward
from research.models.front import Subsampling
from research.recurrence.bidirectional import Bidirectional
from research.recurrence.lstm import LSTM
from research.tasks.transcription import Transcription
from research.training.record import SMOKE, Training

BACKGROUND = """\
Bahdanau 2015 shows maps of translations in which the weights follow the order
of the words, and turn it round where the languages do. Chan 2016 transcribes
speech by attention alone and finds mostly monotonic alignments without any
prior; Chorowski 2015 needs location-aware attention for long sounds. In
Transformers several layers and heads attend, of which often one aligns
(Garg 2019: the last but one layer of translation models does best).

One element that the decoder may attend to stands for two frames, and the
encoder may have moved what it heard by then: an alignment below 1 need not be
a wrong one. Phrases of the test do not occur in training, though all their
words do. Each variant has one learning rate. In a pilot with one seed the
model wrote phrases without errors and hardly aligned them, which is why there
are shuffled ones."""

LAYERS = 2
_HEADS = 4


def experiment(scale: str) -> Experiment:
  """The page at a scale: "smoke", "laptop" or "accelerator"."""
  model, training = _BASES[scale]
  recurrent = (
    ("model.encoder.mixer", Bidirectional(LSTM(), LSTM(reverse=True))),
    ("model.decoder.mixer", LSTM()),
  )
  shuffled = (("task.order", "shuffled"),)
  return Experiment(
    name="alignment",
    question="Does cross-attention learn where to listen?",
    background=BACKGROUND,
    task=Transcription(),
    model=model,
    training=training,
    variants=(
      Change("attention"),
      Change("attention_shuffled", shuffled),
      Change("lstm_shuffled", (*recurrent, *shuffled)),
    ),
    claims=_CLAIMS,
    difficulty="size",
    alignment=True,
    scale=scale,
  )


def _model(width: int, layers: int, expansion: int) -> EncoderDecoder:
  feed_forward = FeedForward(expansion)
  cross = Attention(_HEADS, Full())
  return EncoderDecoder(
    encoder=Encoder(cross, layers, feed_forward),
    decoder=Decoder(Attention(_HEADS), layers, feed_forward, cross=cross),
    front=Subsampling(layers=1),
    width=width,
  )


_LAST = f"layer={LAYERS}"
_WORDS = {
  "attention": "Phrases",
  "attention_shuffled": "Shuffled phrases",
  "lstm_shuffled": "Shuffled phrases, by LSTMs",
}

_CLAIMS = (
  Claim(
    "transcribes",
    "Of phrases that were kept apart, 2 characters in 100 or fewer are wrong.",
    "zero",
    Measure("attention", metric="error_rate"),
    -0.02,
  ),
  *(
    claim
    for name, words in _WORDS.items()
    for claim in (
      Claim(
        f"{name}-listens",
        f"{words}: in the last layer, the share of weights on the true frames "
        "is larger after training than before, by 0.3 or more.",
        Measure(name, _LAST, metric="alignment"),
        Measure(name, _LAST, metric="initial_alignment"),
        0.3,
      ),
      Claim(
        f"{name}-monotonic",
        f"{words}: in the last layer, the share of characters that are sought "
        "no further left than the one before is larger after training than "
        "before, by 0.3 or more.",
        Measure(name, _LAST, metric="monotonicity"),
        Measure(name, _LAST, metric="initial_monotonicity"),
        0.3,
      ),
    )
  ),
  Claim(
    "language-hides",
    "In the last layer, the share of weights on the true frames is smaller for "
    "phrases than for shuffled ones, by 0.2 or more.",
    Measure("attention_shuffled", _LAST, metric="alignment"),
    Measure("attention", _LAST, metric="alignment"),
    0.2,
  ),
)

_BASES = {
  "smoke": (_model(16, LAYERS, 1), SMOKE),
  "laptop": (
    _model(96, LAYERS, 2),
    Training(
      steps=1500,
      batch=32,
      learning_rates=(2e-3,),
      seeds=5,
      warmup=200,
      schedule="cosine",
      evaluate_every=200,
      validation=256,
      test=1024,
      target=1.1,
    ),
  ),
  "accelerator": (
    _model(256, LAYERS, 4),
    Training(
      steps=20_000,
      batch=128,
      learning_rates=(3e-4, 1e-3),
      seeds=5,
      warmup=500,
      schedule="cosine",
      evaluate_every=500,
      target=1.1,
    ),
  ),
}
