import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from meterweave.metering.distinct import distinct

near = st.integers(-50, 50)
far = st.integers(-(2**62), 2**62)


@given(st.lists(near) | st.lists(far) | st.lists(near | far))
def test_as_numpy_says(values: list[int]) -> None:
    column = np.array(values, np.int64)
    found, where = distinct(column)
    wanted, places = np.unique(column, return_inverse=True)
    assert found.tolist() == wanted.tolist()
    assert where.tolist() == places.tolist()
