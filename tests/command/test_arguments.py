import pytest

from research.command.arguments import Parser


@pytest.fixture
def parser():
  result = Parser("run", "First\nline.\n\nSecond one.", "example:\n\n  run it")
  result.add_argument("name")
  result.add_argument("--seeds", type=int)
  return result


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (["a", "--sede", "3"], "--sede is no option; did you mean --seeds?"),
    (["a", "--sede=3"], "--sede is no option; did you mean --seeds?"),
    (["a", "--x"], "--x is no option; allowed: --help, --seeds"),
    (["a", "--seed", "3"], "--seed is no option; did you mean --seeds?"),
    (["a", "b"], "unrecognized arguments: b"),
    (["a", "--seeds", "x"], "argument --seeds: invalid int value: 'x'"),
    ([], "the following arguments are required: name"),
  ],
)
def test_wrong_arguments_are_value_errors(parser, arguments, message):
  with pytest.raises(ValueError) as caught:
    parser.parse_args(arguments)
  assert str(caught.value) == message


def test_paragraphs_are_wrapped_and_examples_kept(parser):
  text = parser.format_help()
  assert "First line.\n\nSecond one." in text
  assert text.endswith("example:\n\n  run it\n")


def test_options_are_all_but_help(parser):
  assert [action.dest for action in parser.options] == ["name", "seeds"]
