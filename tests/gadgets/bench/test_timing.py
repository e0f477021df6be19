from perfline.gadgets.bench.timing import Copy, copy_bandwidth, in_turn


def test_rivals_run_in_turn_and_the_first_round_is_not_counted():
    order = []
    times = in_turn({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3)
    assert order == ["a", "b"] * 4
    assert {name: seconds.shape for name, seconds in times.items()} == {"a": (3,), "b": (3,)}
    assert all((seconds >= 0).all() for seconds in times.values())


def test_pause_and_the_calls_after_it_are_not_timed():
    calls = []
    times = in_turn({"nothing": lambda: calls.append(0)}, 1, pause=0.05)
    # two rounds of four and one
    assert len(calls) == 10
    # a thousand times what the call takes, so that a busy machine doesn't matter
    assert times["nothing"][0] < 0.05


def test_copies_more_than_a_disc_would():
    assert copy_bandwidth(1) > 1e8


def test_counts_what_is_read_and_what_is_written():
    copy = Copy(3)
    copy._target[:] = 0
    copy()
    assert copy.n_bytes == 2 * 3 * 2**20
    assert copy._target.all()
