from research.tasks.sorting import Sort


def test_examples_worked_by_hand():
  task = Sort(symbols=5)
  assert task.oracle([4, 0, 2, 0]) == [2, 2, 4, 6]
  assert task.oracle([3, 3, 1]) == [3, 5, 5]


def test_chance_is_the_end_or_a_symbol():
  assert Sort(symbols=4, shortest=8).chance == 8 / 9 / 4
  assert Sort(symbols=4, longest=1).chance == 1 / 2
