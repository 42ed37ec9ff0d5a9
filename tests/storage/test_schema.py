"""What a schema lets pass, and the sentence about what it does not."""

import pytest

from minires.storage.schema import Many, OneOf, Whole


@pytest.mark.parametrize(("schema", "value", "fault"), [
    (Many(Whole(1), 3), [1, 2, 3], ""), (Many(Whole(1), 3), [1, 2], "x must hold 3 items, got 2"),
    (Many(Whole(1), 0), [1], "x must hold 0 items, got 1"), (Many(Whole(1)), [], ""),
    (Many(Whole(1), 2), [1, 0], "x[1] must be at least 1, got 0"),
    (OneOf(1, 2), 2, ""), (OneOf(1, 2), True, "x must be one of 1, 2, got True"), (OneOf(1), 1.0, "x must be 1, got 1.0"),
    (OneOf(None), None, ""), (OneOf(False), 0, "x must be False, got 0"),
])
def test_a_fault_is_named_with_what_is_allowed(schema, value, fault):
    assert schema.fault("x", value) == fault
