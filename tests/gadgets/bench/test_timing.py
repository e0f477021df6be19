from perfline.gadgets.bench.timing import copy_bandwidth, in_turn


def test_rivals_run_in_turn_and_the_first_round_is_not_counted():
    order = []
    times = in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3)
    assert order == ["a", "b"] * 4
    assert {name: seconds.shape for name, seconds in times.items()} == {"a": (3,), "b": (3,)}
    assert all((seconds >= 0).all() for seconds in times.values())


def test_pause_is_not_timed():
    # a thousand times what the call takes, so that a busy machine doesn't matter
    assert in_turn({"nothing": lambda: None}, 1, pause=0.05)["nothing"][0] < 0.05


def test_copies_more_than_a_disc_would():
    assert copy_bandwidth(1) > 1e8
