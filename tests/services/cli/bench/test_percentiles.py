"""Percentiles, means and deviations are NumPy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.cli.bench.percentiles import percentile, shape_of

VALUES = st.lists(st.floats(-1e9, 1e9, allow_nan=False), min_size=1, max_size=200)


@given(VALUES, st.floats(0, 100))
def test_a_percentile_is_that_of_numpy(values: list[float], at: float) -> None:
    assert percentile(sorted(values), at) == pytest.approx(np.percentile(values, at), rel=1e-9, abs=1e-6)


@given(VALUES)
def test_a_shape_is_what_numpy_says(values: list[float]) -> None:
    shape = shape_of(values)
    assert shape is not None
    assert shape.count == len(values)
    assert shape.mean == pytest.approx(np.mean(values), rel=1e-9, abs=1e-6)
    assert shape.standard_deviation == pytest.approx(np.std(values), rel=1e-6, abs=1e-3)
    assert shape.percentiles == pytest.approx(np.percentile(values, np.arange(101)), rel=1e-9, abs=1e-6)


@given(VALUES)
def test_percentiles_never_fall_and_never_leave_what_was_measured(values: list[float]) -> None:
    shape = shape_of(values)
    assert shape is not None
    assert list(shape.percentiles) == sorted(shape.percentiles)
    assert (shape.percentiles[0], shape.percentiles[100]) == (min(values), max(values))


def test_nothing_has_no_shape() -> None:
    assert shape_of([]) is None
