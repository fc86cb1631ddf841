"""Thresholds: what is promised holds, exactly where it can be counted and in simulations elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import IsolationForest

import diabolo
from diabolo import (
    AdaptiveFalseDiscoveryRate,
    AlertsPerDay,
    Calibration,
    ConditionalFalseDiscoveryRate,
    Contamination,
    FalseDiscoveryProportion,
    FalseDiscoveryRate,
    LinearAutoencoder,
    Quantile,
    Score,
    Threshold,
    false_positive_budget,
)
from diabolo.core.errors import DataError
from diabolo.core.parts import as_part, every, from_plain, to_plain
from diabolo.tasks.conformal import false_counts, upper_bound

RULES: list[Threshold] = [
    Quantile(0.8),
    Contamination(0.2),
    AlertsPerDay(3),
    AlertsPerDay(3, rows_per_day=20),
    Score(1.0),
    FalseDiscoveryRate(0.2),
    AdaptiveFalseDiscoveryRate(0.2),
    AdaptiveFalseDiscoveryRate(0.2, normal_above=0.1),
    ConditionalFalseDiscoveryRate(0.5, confidence=0.6),
    FalseDiscoveryProportion(0.4, confidence=0.6),
]
few = settings(max_examples=30, deadline=None)
NUMBERS = st.lists(st.integers(-9, 9).map(float) | st.sampled_from([-np.inf, np.inf]), min_size=1, max_size=25)
each_rule = pytest.mark.parametrize("rule", RULES, ids=repr)


def normal_and_strange(
    generator: np.random.Generator, size: int, normal: int, strange: int, shift: float = 4.0
) -> tuple[Calibration, np.ndarray, np.ndarray]:
    """A calibration, a batch, and which of its rows are strange."""
    drawn = generator.normal(size=size + normal + strange)
    labels = np.arange(normal + strange) >= normal
    return Calibration(drawn[:size]), drawn[size:] + shift * labels, labels


def false_share(flags: np.ndarray, labels: np.ndarray) -> float:
    """Of the flagged, those that are normal."""
    return float((flags & ~labels).sum() / max(flags.sum(), 1))


# P-values


@few
@given(NUMBERS, st.integers(0, 30))
def test_each_of_exchangeable_rows_has_a_small_p_value_as_seldom_as_it_should(
    scores: list[float], numerator: int
) -> None:
    """The law itself, counted: each row in turn is the new one, with ties and infinities."""
    if len(scores) == 1:
        scores = scores * 2
    p_values = [Calibration(scores[:row] + scores[row + 1 :]).p_values([score])[0] for row, score in enumerate(scores)]
    level = Fraction(numerator, 30)
    assert sum(Fraction(p).limit_denominator(1000) <= level for p in p_values) <= level * len(scores)


def test_without_ties_p_values_take_each_value_once() -> None:
    scores = np.random.default_rng(0).permutation(40).astype(float)
    p_values = [Calibration(np.delete(scores, row)).p_values([score])[0] for row, score in enumerate(scores)]
    np.testing.assert_allclose(np.sort(p_values), np.arange(1, 41) / 40, rtol=1e-15)


@few
@given(NUMBERS, NUMBERS)
def test_p_values_are_what_the_equation_says(calibration: list[float], scores: list[float]) -> None:
    expected = [(1 + sum(old >= new for old in calibration)) / (len(calibration) + 1) for new in scores]
    assert Calibration(calibration).p_values(scores).tolist() == expected


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("size", [1, 2, 30, 1000])
def test_conditional_bounds_fail_as_often_as_they_may(size: int, confidence: float) -> None:
    uniform = np.sort(np.random.default_rng(1).random((4000, size)), axis=1)
    bounds = upper_bound(np.arange(1, size + 1), size, confidence)
    failed = (uniform > bounds).any(axis=1).mean()
    assert abs(failed - (1 - confidence)) < 4 * np.sqrt(confidence * (1 - confidence) / 4000)
    assert (np.diff(bounds) >= 0).all()
    assert upper_bound(size + 1, size, confidence) == 1


@pytest.mark.parametrize(("size", "rows"), [(1, 5), (50, 400), (500, 100), (1000, 1000)])
def test_counts_of_normal_rows_keep_to_their_bounds(size: int, rows: int) -> None:
    generator = np.random.default_rng(2)
    ranks, bounds = false_counts(size, rows, 0.9, size)
    broken = 0
    for _ in range(600):
        placed = np.sort(Calibration(generator.normal(size=size)).ranks(generator.normal(size=rows)))
        broken += (np.searchsorted(placed, ranks, side="right") > bounds).any()
    assert broken / 600 < 0.1 + 3 * np.sqrt(0.09 / 600)
    assert size == 1 or broken / 600 > 0.04  # and are not loose
    assert (np.diff(bounds) >= 0).all()


def test_what_is_missing_or_misshapen_is_refused_by_its_place() -> None:
    calibration = Calibration([1.0, 2.0])
    with pytest.raises(DataError, match=r"row 2: the score is missing"):
        calibration.p_values([1.0, 2.0, np.nan])
    with pytest.raises(DataError, match=r"row 0: the calibration score is missing"):
        Calibration([np.nan])
    with pytest.raises(DataError, match=r"shape \(1, 2\)"):
        calibration.p_values([[1.0, 2.0]])
    with pytest.raises(DataError, match="at least 1 row"):
        Calibration([])
    with pytest.raises(ValueError, match=r"confidence came as 1\.0"):
        calibration.conditional_p_values([1.0], confidence=1.0)


def test_a_calibration_cannot_be_changed_and_leaves_its_origin_alone() -> None:
    scores = np.array([3.0, 1.0])
    calibration = Calibration(scores)
    assert scores.tolist() == [3.0, 1.0]
    with pytest.raises(ValueError, match="read-only"):
        calibration.scores[0] = 0.0


def test_anomalies_that_were_found_are_taken_out() -> None:
    calibration = Calibration([1.0, 5.0, 5.0, 9.0])
    assert calibration.without([5.0, 9.0]).scores.tolist() == [1.0, 5.0]
    assert calibration.without([]).scores.tolist() == calibration.scores.tolist()
    with pytest.raises(DataError, match="3 calibration rows with the score 5 are to go, but there are only 2"):
        calibration.without([5.0, 5.0, 5.0])
    with pytest.raises(DataError, match="0 calibration scores"):
        calibration.without(calibration.scores)


# Rules


@each_rule
@few
@given(calibration=NUMBERS, scores=NUMBERS)
def test_a_stranger_row_is_flagged_if_a_less_strange_one_is(
    rule: Threshold, calibration: list[float], scores: list[float]
) -> None:
    flags = rule.flags(scores, Calibration(calibration))
    assert flags.dtype == bool
    assert flags.shape == (len(scores),)
    assert all(
        flags[high] >= flags[low]
        for low in range(len(scores))
        for high in range(len(scores))
        if scores[high] >= scores[low]
    )


@pytest.mark.parametrize("rule", [rule for rule in RULES if not isinstance(rule, Score)], ids=repr)
@few
@given(calibration=NUMBERS, scores=NUMBERS)
def test_only_the_order_of_scores_matters(rule: Threshold, calibration: list[float], scores: list[float]) -> None:
    transform: Callable[[Any], np.ndarray] = lambda values: np.arctan(np.asarray(values) / 5) ** 3 - 7  # noqa: E731
    expected = rule.flags(scores, Calibration(calibration))
    assert rule.flags(transform(scores), Calibration(transform(calibration))).tolist() == expected.tolist()
    backwards = rule.flags(scores[::-1], Calibration(calibration[::-1]))
    assert backwards[::-1].tolist() == expected.tolist()


@each_rule
def test_an_empty_batch_has_no_flags(rule: Threshold) -> None:
    flags = rule.flags([], Calibration([1.0, 2.0]))
    assert flags.shape == (0,)
    assert flags.dtype == bool


@each_rule
@few
@given(calibration=NUMBERS, scores=NUMBERS)
def test_a_cut_says_the_same_as_the_flags(rule: Threshold, calibration: list[float], scores: list[float]) -> None:
    cut = rule.cut(Calibration(calibration))
    batchwise = isinstance(rule, (FalseDiscoveryRate, FalseDiscoveryProportion)) or repr(rule).startswith(
        ("Adaptive", "Conditional", "AlertsPerDay(alerts=3, rows_per_day=None)")
    )
    assert (cut is None) == batchwise
    if cut is not None:
        assert rule.flags(scores, Calibration(calibration)).tolist() == [score > cut for score in scores]


def naive(p_values: list[Fraction], rate: Fraction, normal: Fraction) -> list[bool]:
    """Benjamini and Hochberg's rule in exact numbers, as it is written."""
    ordered = sorted(p_values)
    passing = [k for k in range(1, len(ordered) + 1) if ordered[k - 1] <= rate * k / normal]
    return [p <= ordered[max(passing) - 1] if passing else False for p in p_values]


@few
@given(NUMBERS, NUMBERS, st.integers(1, 19))
def test_step_up_rules_do_what_is_written(calibration: list[float], scores: list[float], twentieths: int) -> None:
    size, rate = len(calibration), Fraction(twentieths, 20)
    p_values = [Fraction(1 + sum(old >= new for old in calibration), size + 1) for new in scores]
    flags = FalseDiscoveryRate(float(rate)).flags(scores, Calibration(calibration))
    assert flags.tolist() == naive(p_values, rate, Fraction(len(scores)))
    start = Fraction((size + 1) // 2, size + 1)
    normal = (1 + sum(p >= start for p in p_values)) / (1 - start)
    flags = AdaptiveFalseDiscoveryRate(float(rate)).flags(scores, Calibration(calibration))
    assert flags.tolist() == naive(p_values, rate, normal)


def test_a_rate_of_whole_counts_is_not_lost_in_the_last_bit() -> None:
    for size in (9, 19, 49, 99, 199, 999):
        calibration = Calibration(range(size))
        for level in (0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1):
            expected = round((1 - level) * (size + 1))
            assert (calibration.scores >= Quantile(level).cut(calibration)).sum() == expected


def test_contamination_is_that_of_scikit_learn(table: np.ndarray) -> None:
    for share in (0.05, 0.1, 0.37, 0.5):
        forest = IsolationForest(n_estimators=20, contamination=share, random_state=0).fit(table)
        scores = -forest.score_samples(table)
        flags = Contamination(share).flags(scores, Calibration(scores))
        assert flags.tolist() == (forest.predict(table) == -1).tolist()


def test_alerts_of_a_day_are_so_many_on_average() -> None:
    generator = np.random.default_rng(3)
    counts = []
    for _ in range(400):
        calibration, batch, _ = normal_and_strange(generator, 300, 500, 0)
        daily, each = (
            rule.flags(batch, calibration).sum() for rule in (AlertsPerDay(10), AlertsPerDay(10, rows_per_day=500))
        )
        assert daily == each
        counts.append(daily)
    assert 8.5 < np.mean(counts) < 10 + 3 * np.std(counts) / 20
    assert AlertsPerDay(50).flags([0.0, -np.inf], Calibration([5.0])).all()
    assert "Every row" in AlertsPerDay(50).promise(10, rows=2)


# What is promised of the flagged rows


@pytest.mark.parametrize("strange", [0, 10, 60])
@pytest.mark.parametrize("rule", [FalseDiscoveryRate(0.1), AdaptiveFalseDiscoveryRate(0.1)], ids=repr)
def test_the_share_of_false_is_kept_on_average(rule: Threshold, strange: int) -> None:
    generator = np.random.default_rng(4)
    shares = []
    for _ in range(1000):
        calibration, batch, labels = normal_and_strange(generator, 200, 100, strange)
        shares.append(false_share(rule.flags(batch, calibration), labels))
    assert np.mean(shares) <= 0.1 + 3 * np.std(shares) / np.sqrt(1000)
    if strange == 60:
        assert np.mean(shares) > 0.04  # and is not wasted


def test_the_bound_of_one_batch_is_kept_with_its_confidence() -> None:
    generator = np.random.default_rng(5)
    rule, broken, found = FalseDiscoveryProportion(0.2, confidence=0.9), 0, []
    for _ in range(1000):
        calibration, batch, labels = normal_and_strange(generator, 300, 200, 40)
        flags = rule.flags(batch, calibration)
        broken += false_share(flags, labels) > 0.2
        found.append((flags & labels).sum() / 40)
    assert broken / 1000 < 0.1 + 3 * np.sqrt(0.09 / 1000)
    assert np.mean(found) > 0.4


def test_a_calibration_set_that_is_kept_keeps_the_rate_with_its_confidence() -> None:
    generator = np.random.default_rng(6)
    plain, sure = [], []
    for _ in range(80):
        calibration = Calibration(generator.normal(size=100))
        means = []
        for rule in (FalseDiscoveryRate(0.2), ConditionalFalseDiscoveryRate(0.2, confidence=0.8)):
            shares = []
            for _ in range(40):
                _, batch, labels = normal_and_strange(generator, 1, 60, 60)
                shares.append(false_share(rule.flags(batch, calibration), labels))
            means.append(np.mean(shares))
        plain.append(means[0] > 0.2)
        sure.append(means[1] > 0.2)
    assert np.mean(sure) < 0.2 + 3 * np.sqrt(0.16 / 80)
    assert np.mean(sure) <= np.mean(plain)


def test_storey_finds_more_where_much_is_strange() -> None:
    generator = np.random.default_rng(7)
    more = []
    for _ in range(50):
        calibration, batch, _ = normal_and_strange(generator, 500, 100, 300, shift=2.5)
        plain, adaptive = (
            rule.flags(batch, calibration) for rule in (FalseDiscoveryRate(0.1), AdaptiveFalseDiscoveryRate(0.1))
        )
        assert (adaptive >= plain).all()
        more.append(adaptive.sum() - plain.sum())
    assert np.mean(more) > 5


def test_anomalies_in_the_calibration_cost_power_which_a_look_at_the_highest_gives_back() -> None:
    generator = np.random.default_rng(8)
    found: dict[str, list[float]] = {"clean": [], "dirty": [], "looked at": []}
    false = []
    for _ in range(100):
        calibration, batch, labels = normal_and_strange(generator, 500, 180, 20, shift=6.0)
        hidden = generator.normal(6.0, size=15)
        dirty = Calibration(np.concatenate([calibration.scores, hidden]))
        cases = {"clean": calibration, "dirty": dirty, "looked at": dirty.without(hidden[hidden >= dirty.highest(25)])}
        for name, case in cases.items():
            flags = FalseDiscoveryRate(0.1).flags(batch, case)
            found[name].append((flags & labels).sum() / 20)
            if name == "looked at":
                false.append(false_share(flags, labels))
    assert np.mean(found["dirty"]) < 0.5 * np.mean(found["clean"])
    assert np.mean(found["looked at"]) > 0.95 * np.mean(found["clean"])
    assert np.mean(false) < 0.1 + 3 * np.std(false) / 10


def test_the_rate_is_kept_by_an_autoencoder_on_real_rows(digits: np.ndarray) -> None:
    generator = np.random.default_rng(9)
    labels = np.repeat(np.arange(2), [1400, 397])
    rows = digits[generator.permutation(len(digits))].copy()
    rows[labels == 1] = generator.permuted(rows[labels == 1], axis=1)  # pixels of a digit in any order
    scores = LinearAutoencoder(code_size=16).fit(rows[:600]).reconstruction_error(rows)
    held_out, strange = scores[600:1400], scores[labels == 1]
    shares, found = [], []
    for _ in range(200):
        normal = generator.permutation(held_out)
        batch = np.concatenate([normal[400:], generator.permutation(strange)[:50]])
        truth = np.arange(450) >= 400
        flags = FalseDiscoveryRate(0.1).flags(batch, Calibration(normal[:400]))
        shares.append(false_share(flags, truth))
        found.append((flags & truth).sum() / 50)
    assert 0.04 < np.mean(shares) < 0.1
    assert np.mean(found) > 0.9


# What is promised in words


def strangers(rule: Threshold, size: int, rows: int, strange: int) -> int:
    """How many are flagged if so many rows of a batch lie above all calibration rows."""
    batch = np.concatenate([np.full(strange, np.inf), np.full(rows - strange, -np.inf)])
    return int(rule.flags(batch, Calibration(np.arange(float(size)))).sum())


def number(pattern: str, text: str) -> int:
    """The number in a sentence."""
    found = re.search(pattern, text)
    assert found, text
    return int(found[1].replace(",", ""))


@pytest.mark.parametrize(("size", "rows"), [(199, 100), (1000, 400), (5000, 2000)])
@pytest.mark.parametrize(
    "rule",
    [FalseDiscoveryRate(0.1), ConditionalFalseDiscoveryRate(0.2), FalseDiscoveryProportion(0.2)],
    ids=repr,
)
def test_no_fewer_are_flagged_than_is_said(rule: Threshold, size: int, rows: int) -> None:
    least = number(r"no fewer than ([\d,]+) can be flagged", rule.promise(size, rows))
    assert strangers(rule, size, rows, least) == least
    assert strangers(rule, size, rows, least - 1) == 0


@pytest.mark.parametrize(
    "rule",
    [FalseDiscoveryRate(0.1), AdaptiveFalseDiscoveryRate(0.1), ConditionalFalseDiscoveryRate(0.3)],
    ids=repr,
)
def test_a_lone_row_is_flagged_when_it_is_said(rule: Threshold) -> None:
    needed = number(r"a lone one takes ([\d,]+) calibration", rule.promise(20, rows=20))
    assert "a lone row among 20 can be flagged" in rule.promise(needed, rows=20)
    assert "a lone row among 20 can" not in rule.promise(needed - 1, rows=20)
    most = number(r"batches of up to ([\d,]+) rows", rule.promise(300))
    if not isinstance(rule, AdaptiveFalseDiscoveryRate):  # which counts one row more than there are
        assert strangers(rule, needed, 20, 1) == 1
        assert strangers(rule, needed - 1, 20, 1) == 0
        assert strangers(rule, 300, most, 1) == 1
        assert strangers(rule, 300, most + 1, 1) == 0
    assert "nothing can be flagged" in rule.promise(2)
    assert strangers(rule, 2, 5, 5) == 0


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99, 0.999])
def test_a_quantile_says_how_many_rows_it_takes(level: float) -> None:
    needed = number(r"at least ([\d,]+) calibration", Quantile(level).promise(1)) if level > 0.5 else 1
    assert np.isfinite(Quantile(level).cut(Calibration(range(needed))))
    assert "Nothing" not in Quantile(level).promise(needed)
    if needed > 1:
        assert Quantile(level).cut(Calibration(range(needed - 1))) == np.inf
        assert "Nothing can be flagged" in Quantile(level).promise(needed - 1)


def test_the_spread_over_calibration_sets_is_true() -> None:
    text = Quantile(0.95).promise(200)
    low, high = (float(word) / 100 for word in re.findall(r"([\d.]+) % to ([\d.]+) %", text)[0])
    uniform = np.sort(np.random.default_rng(10).random((4000, 200)), axis=1)
    rates = 1 - uniform[:, -10]  # the true share above the cut at rank 10 of 201
    assert abs(np.mean((rates >= low) & (rates <= high)) - 0.9) < 0.02
    assert abs(rates.mean() - 10 / 201) < 0.001


def test_smallest_p_values_and_batches_are_told() -> None:
    assert "1/201 = 0.5 %" in Quantile(0.999).promise(200)
    assert "about 100 of 1,000" in Contamination(0.1).promise(200, rows=1000)
    assert "20 of those 200" in Contamination(0.1).promise(200)
    assert "not known" in Score(3.0).promise(200)
    assert "nothing can be flagged" in FalseDiscoveryProportion(0.1).promise(5, rows=10)


@pytest.mark.parametrize("size", [1, 2, 19, 20, 1000])
@pytest.mark.parametrize("rows", [None, 0, 1, 2, 1000])
@pytest.mark.parametrize(
    "rule",
    [
        Contamination(0.1),
        Quantile(0.5),
        AlertsPerDay(1.0),
        FalseDiscoveryRate(0.05),
        AdaptiveFalseDiscoveryRate(0.5),
        ConditionalFalseDiscoveryRate(0.2),
        FalseDiscoveryProportion(0.1),
    ],
    ids=repr,
)
def test_promises_are_sentences_for_one_row_and_for_many(rule: Threshold, rows: int | None, size: int) -> None:
    told = rule.promise(size, rows)
    assert not re.search(r"(?<![\d.,/])1 (calibration |normal )?rows|all 1 |among [01] |up to [01] rows", told), told
    assert not re.search(r"(\d\d|[02-9]) (calibration |normal )?row\b", told), told
    assert told.endswith(".")
    assert "  " not in told


def test_a_lone_row_that_comes_alone() -> None:
    assert FalseDiscoveryRate(0.05).promise(20).endswith("a lone row can be flagged in batches of 1 row.")
    assert FalseDiscoveryRate(0.05).promise(20, rows=1).endswith("is 4.8 %: a lone row can be flagged.")
    assert "Of 1 normal row none should lie above all 1,000 calibration rows: a lone row can be flagged." in (
        FalseDiscoveryProportion(0.1).promise(1000, rows=1)
    )


# Parts


def test_every_rule_is_found_by_name_and_written_as_json() -> None:
    found = {rule for rule in every(Threshold) if rule.__module__.startswith("diabolo.")}
    assert {type(rule) for rule in RULES} == found
    assert all(hasattr(diabolo, rule.__name__) for rule in found)
    assert repr(as_part(Threshold, "false_discovery_rate")) == "FalseDiscoveryRate(rate=0.05)"
    for rule in RULES:
        again = from_plain(json.loads(json.dumps(to_plain(rule), allow_nan=False)))
        assert repr(again) == repr(rule)
        assert repr(rule.clone()) == repr(rule)
        assert rule.check() is rule


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        (Quantile(1.0), "level"),
        (Contamination(0.6), "share"),
        (AlertsPerDay(0), "alerts"),
        (AlertsPerDay(rows_per_day=0), "rows_per_day"),
        (Score(float("nan")), "value"),
        (FalseDiscoveryRate(0.0), "rate"),
        (AdaptiveFalseDiscoveryRate(normal_above=1.0), "normal_above"),
        (ConditionalFalseDiscoveryRate(confidence=1.0), "confidence"),
        (FalseDiscoveryProportion(confidence=0.9999), "confidence"),
    ],
    ids=repr,
)
def test_impossible_values_are_refused_by_name(rule: Threshold, field: str) -> None:
    with pytest.raises(ValueError, match=f"{type(rule).__name__}: {field} came as"):
        rule.check()


# A budget by labels


@few
@given(st.lists(st.tuples(st.integers(-9, 9), st.booleans()), min_size=1, max_size=40), st.integers(1, 9))
def test_a_budget_is_kept_and_used(rows: list[tuple[int, bool]], tenths: int) -> None:
    scores, labels = np.array([row[0] for row in rows], dtype=float), np.array([row[1] for row in rows])
    if labels.all():
        with pytest.raises(DataError, match="none of the"):
            false_positive_budget(scores, labels, rate=tenths / 10)
        return
    normal = scores[~labels]
    cut = false_positive_budget(scores, labels, rate=tenths / 10).value
    assert 10 * (normal > cut).sum() <= tenths * len(normal)
    lower = normal[normal < cut]
    if len(lower):
        assert 10 * (normal > lower.max()).sum() > tenths * len(normal)


def test_a_budget_with_confidence_holds_for_new_rows() -> None:
    generator = np.random.default_rng(11)
    rates = []
    for _ in range(500):
        scores = generator.random(300)
        rates.append(1 - false_positive_budget(scores, np.zeros(300), rate=0.05, confidence=0.9).value)
    kept = np.mean(np.array(rates) <= 0.05)
    assert 0.9 - 3 * np.sqrt(0.09 / 500) < kept < 0.98


def test_a_budget_says_how_many_rows_it_takes() -> None:
    with pytest.raises(DataError, match="takes at least") as refused:
        false_positive_budget(np.arange(20.0), np.zeros(20), rate=0.01, confidence=0.95)
    needed = number(r"at least (\d+)", str(refused.value))
    assert needed == 299  # Wilks: 0.99 ** 299 < 0.05
    false_positive_budget(np.arange(float(needed)), np.zeros(needed), rate=0.01, confidence=0.95)
    with pytest.raises(DataError, match="takes at least 299"):
        false_positive_budget(np.arange(298.0), np.zeros(298), rate=0.01, confidence=0.95)
    with pytest.raises(DataError, match="labels must be 2 times 0"):
        false_positive_budget([1.0, 2.0], [1, -1])
    with pytest.raises(ValueError, match="rate came as 0"):
        false_positive_budget([1.0], [0], rate=0)
