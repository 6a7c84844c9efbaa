from research.tasks.reverse import Reverse


def test_examples_worked_by_hand():
  task = Reverse(symbols=5)
  assert task.oracle([4, 0, 2]) == [4, 2, 6]
  assert task.oracle([1]) == [3]
  assert (task.text([4, 2, 6]), task.source_text([4, 0, 2])) == (
    "4 2 6",
    "4 0 2",
  )


def test_chance_is_the_end_or_a_symbol():
  # 8 of 9 places are shared by four symbols; 1 of 2 is END.
  assert Reverse(symbols=4, shortest=8).chance == 8 / 9 / 4
  assert Reverse(symbols=4, longest=1).chance == 1 / 2
