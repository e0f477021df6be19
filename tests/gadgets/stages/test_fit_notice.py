import numpy as np
import pytest

from perfline.gadgets.stages.fit_notice import fit_notice
from perfline.recon.asl.fit_status import FitStatus


def notices(flow=50.0, **counts):
    """Of so many voxels of each status, three outside the mask."""
    codes = [FitStatus.OUTSIDE_MASK] * 3 + [FitStatus[name] for name, count in counts.items() for _ in range(count)]
    status = np.array(codes, np.uint8).reshape(1, 1, -1)
    cbf = np.where(np.isin(status, (FitStatus.OUTSIDE_MASK, FitStatus.NO_SIGNAL)), 0, flow).astype(np.float32)
    return list(fit_notice(status, cbf))


def test_each_end_is_counted_within_the_head():
    (notice,) = notices(CONVERGED=12, LATE=3, AT_BOUND=2, ATT_UNDETERMINED=1, NO_SIGNAL=4, NOT_CONVERGED=1, BAD_INPUT=1)
    assert notice.level == "info"
    assert notice.text == (
        "fit over delays: sound in 12 of 24 voxels (50.0%); label late, after the last delay or within an error of it"
        " in 3, at a bound of flow or transit time in 2, transit time undetermined in 1, no perfusion signal (blood"
        " flow 0) in 4, not converged in 1, bad input (no value) in 1"
    )


def test_sound_fits_are_not_worth_a_word():
    assert notices(CONVERGED=5) == []


@pytest.mark.parametrize(
    ("counts", "level"),
    [
        ({"CONVERGED": 5, "AT_BOUND": 5}, "info"),
        ({"CONVERGED": 5, "AT_BOUND": 6}, "warning"),
        ({"LATE": 11}, "info"),
        ({"CONVERGED": 5, "NO_SIGNAL": 6}, "warning"),
    ],
)
def test_most_of_the_head_without_a_fit_is_a_warning(counts, level):
    (notice,) = notices(**counts)
    assert notice.level == level
    assert ("control and label are swapped" in notice.text) == ("NO_SIGNAL" in counts)


def test_flow_at_its_lower_bound_is_none_whatever_the_status():
    # where a prior tells the transit time
    (notice,) = notices(flow=0.0, AT_BOUND=7)
    assert "no blood flow in 100% of the head" in notice.text
