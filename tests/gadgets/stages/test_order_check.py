import numpy as np

from perfline.gadgets.stages.order_check import OrderCheck

HEAD = np.zeros((2, 6, 5), np.float32)
HEAD[:, 1:5, 1:4] = 100


def check(*shares, n_needed=3):
    one = OrderCheck(n_needed, "mean {mean}")
    return [one.add(HEAD, (share * HEAD).astype(np.float32)) for share in shares], one


def test_the_mean_of_the_first_decides():
    notices, one = check(-0.01, 0.004, -0.006, -0.5)
    assert [notice.text if notice else None for notice in notices] == [None, None, "mean -0.40%", None]
    assert notices[2].level == "warning"
    assert one.is_done


def test_perfusion_and_noise_are_silent():
    assert check(0.01, 0.02, 0.01)[0] == [None] * 3
    assert check(-0.001, n_needed=1)[0] == [None]
    assert check(-0.003, n_needed=1)[0][0].text == "mean -0.30%"


def test_a_scan_with_fewer_differences_is_judged_at_its_end():
    notices, one = check(-0.01, -0.02)
    assert notices == [None, None]
    assert one.finish().text == "mean -1.50%"
    assert check(0.01, 0.02)[1].finish() is None
    # what has been judged is not judged again, and nothing is said about nothing
    assert check(-0.01, -0.01, -0.01)[1].finish() is None
    assert check()[1].finish() is None


def test_the_text_says_on_how_many_it_rests():
    one = OrderCheck(3, "{n}: {mean}")
    one.add(HEAD, (-0.01 * HEAD).astype(np.float32))
    assert one.finish().text == "1: -1.00%"
