"""What can be trained: a model over one sequence, or from one to another."""

from research.models.encoder_decoder import EncoderDecoder
from research.models.sequence import SequenceModel

Model = SequenceModel | EncoderDecoder
