"""What a Pareto front promises: what nothing beats, ties together, and nothing made of what is missing."""

import itertools
import math
import random

from srlab.verdicts.pareto import front


def test_what_costs_more_and_is_no_better_is_not_on_the_front() -> None:
    costs = {"cheap": 1.0, "worse": 2.0, "dear": 3.0, "as good": 4.0}
    scores = {"cheap": 30.0, "worse": 29.0, "dear": 31.0, "as good": 31.0}
    assert front(costs, scores) == ("cheap", "dear")


def test_of_one_cost_the_best_is_on_the_front() -> None:
    assert front({"a": 1.0, "b": 1.0, "c": 1.0}, {"a": 30.0, "b": 32.0, "c": 31.0}) == ("b",)


def test_those_that_tie_in_both_are_on_the_front_together_or_not_at_all() -> None:
    costs = {"a": 1.0, "b": 1.0, "c": 2.0, "d": 2.0}
    assert front(costs, {"a": 30.0, "b": 30.0, "c": 31.0, "d": 31.0}) == ("a", "b", "c", "d")
    assert front(costs, {"a": 30.0, "b": 30.0, "c": 29.0, "d": 29.0}) == ("a", "b")


def test_where_lower_is_better_the_scores_are_turned_round() -> None:
    costs = {"a": 1.0, "b": 2.0, "c": 3.0}
    assert front(costs, {"a": 0.3, "b": 0.4, "c": 0.1}, is_lower_better=True) == ("a", "c")


def test_what_lacks_its_cost_or_its_score_is_left_out_and_beats_nothing() -> None:
    costs = {"a": 2.0, "none": None, "nan": math.nan, "inf": math.inf, "unscored": 1.0, "no score": 1.0}
    scores = {"a": 30.0, "none": 40.0, "nan": 40.0, "inf": 40.0, "no score": math.nan, "no cost": 50.0}
    assert front(costs, scores) == ("a",)
    assert front({}, {"a": 1.0}) == ()
    assert front({"a": 1.0}, {"a": None}) == ()


def test_an_exact_copy_has_the_best_score_there_is_and_costing_nothing_is_a_cost() -> None:
    assert front({"a": 0.0, "b": 2.0, "c": 3.0}, {"a": 28.0, "b": math.inf, "c": 40.0}) == ("a", "b")


def test_the_front_is_all_that_nothing_beats_whatever_the_order() -> None:
    draw = random.Random(0)
    for _ in range(50):
        names = [str(number) for number in range(8)]
        costs = {name: float(draw.randint(1, 5)) for name in names}
        scores = {name: float(draw.randint(1, 5)) for name in names}
        best = front(costs, scores)
        assert [costs[name] for name in best] == sorted(costs[name] for name in best)
        for name, other in itertools.product(names, names):
            beats = costs[other] <= costs[name] and scores[other] >= scores[name]
            is_same = (costs[other], scores[other]) == (costs[name], scores[name])
            assert not (beats and not is_same and name in best)
        for name in set(names) - set(best):
            assert any(costs[one] <= costs[name] and scores[one] >= scores[name] for one in best)
        shuffled = draw.sample(names, len(names))
        assert set(front({name: costs[name] for name in shuffled}, scores)) == set(best)
