from dataclasses import replace

import numpy as np
import pytest
from scan_headers import ASL, scan_header
from stage_items import SHAPE, geometry, of_type, run, volume

from perfline.gadgets.errors import MissingParameterError, ScanHeaderError
from perfline.gadgets.stage_data import Dropped, Limits, M0Volume, Notice, SeparateM0, Volume, VolumeKey
from perfline.gadgets.stages.calibrate import Calibrate
from perfline.gadgets.stages.slice_affine import slice_affine
from perfline.recon.errors import InputError
from perfline.recon.parameters import VolumeType

CONTROL, M0 = VolumeType.CONTROL, VolumeType.M0SCAN


def header(**asl):
    return scan_header(asl=replace(ASL, **asl))


def test_included_m0_is_the_mean_magnitude_of_its_volumes():
    results = run(Calibrate(header()), [volume(300j, M0, None, 0), volume(-100, M0, None, 1), volume(5, CONTROL, 0, 2)])
    averages = of_type(results, M0Volume)
    assert [(m.n_volumes, float(m.image.flat[0])) for m in averages] == [(1, 300.0), (2, 200.0)]
    assert len(of_type(results, Volume)) == 3
    assert of_type(results, Notice) == []


def test_short_repetition_time_is_corrected():
    (m0,) = of_type(run(Calibrate(header(m0_repetition_time=2.0)), [volume(100, M0, None)]), M0Volume)
    correction = 1 / (1 - np.exp(-2.0 / 1.6))
    assert m0.correction == pytest.approx(correction)
    assert m0.image == pytest.approx(100 * correction, rel=1e-6)  # float32


def test_repetition_time_zero_is_an_error_not_zero_flow():
    with pytest.raises(InputError, match=r"repetition_time.*got 0"):
        Calibrate(header(m0_repetition_time=0.0))


def test_missing_repetition_time_names_the_key_and_where_to_put_it():
    with pytest.raises(
        MissingParameterError, match=r"repetition time of M0.*M0RepetitionTime.*sidecar.*userParameters"
    ):
        Calibrate(header(m0_repetition_time=None))


def separate(image=None, **changes):
    image = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE) if image is None else image
    return replace(SeparateM0(image, slice_affine(geometry(), SHAPE), None, "M0 file x.nii"), **changes)


def test_separate_m0_is_handed_on_with_the_first_volume():
    items = [volume(5, CONTROL, 0), volume(5, CONTROL, 1)]
    results = run(Calibrate(header(m0_type="Separate"), separate()), items)
    (m0,) = of_type(results, M0Volume)
    np.testing.assert_array_equal(m0.image, separate().image)
    assert results[0] is m0
    assert of_type(results, Notice) == []


def test_what_the_file_of_m0_says_goes_with_it():
    own = separate(repetition_time=9.0, echo_time=0.011)
    (m0,) = of_type(run(Calibrate(header(m0_type="Separate"), own), [volume(5, CONTROL, 0)]), M0Volume)
    assert (m0.repetition_time, m0.echo_time) == (9.0, 0.011)


def test_separate_m0_has_the_repetition_time_and_the_angle_that_the_header_resolved():
    assert Calibrate(header(m0_type="Separate"), separate(repetition_time=2.0))._correction == 1.0
    short = header(m0_type="Separate", m0_repetition_time=2.0, m0_flip_angle=np.deg2rad(30))
    (m0,) = of_type(run(Calibrate(short, separate()), [volume(5, CONTROL, 0)]), M0Volume)
    recovery = np.exp(-2.0 / 1.6)
    assert m0.correction == pytest.approx((1 - recovery * np.sqrt(0.75)) / (1 - recovery))
    with pytest.raises(MissingParameterError, match="put M0RepetitionTime"):
        Calibrate(header(m0_type="Separate", m0_repetition_time=None), separate())


def test_separate_m0_of_another_grid_is_an_error():
    stage = Calibrate(header(m0_type="Separate"), separate(np.ones((3, 4, 5), np.float32)))
    with pytest.raises(ScanHeaderError, match=r"expected the grid of the scan \(3, 5, 4\) .*, got \(3, 4, 5\)"):
        run(stage, [volume(5, CONTROL, 0)])


@pytest.mark.parametrize("change", ["flipped", "shifted"])
def test_separate_m0_at_another_place_is_an_error(change):
    affine = slice_affine(geometry(), SHAPE)
    if change == "flipped":
        affine = affine @ np.array([[-1, 0, 0, SHAPE[2] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    else:
        affine[2, 3] += 6.0
    stage = Calibrate(header(m0_type="Separate"), separate(affine=affine))
    with pytest.raises(ScanHeaderError, match=r"M0 file x\.nii: expected the place of the scan, its corners are up to"):
        run(stage, [volume(5, CONTROL, 0)])


def test_separate_m0_without_a_place_is_taken_with_a_warning():
    results = run(Calibrate(header(m0_type="Separate"), separate(affine=None)), [volume(5, CONTROL, 0)])
    assert len(of_type(results, M0Volume)) == 1
    assert "the file doesn't say where it lies" in of_type(results, Notice)[0].text


def test_separate_without_a_file_and_a_file_without_separate_are_errors():
    with pytest.raises(ScanHeaderError, match="M0Type is Separate: expected a file"):
        Calibrate(header(m0_type="Separate"))
    with pytest.raises(ScanHeaderError, match="an M0 file was given, but M0Type is Included"):
        Calibrate(header(), separate())


def test_estimate_is_one_number_everywhere():
    (m0,) = of_type(run(Calibrate(header(m0_type="Estimate", m0_estimate=77.0)), [volume(5, CONTROL, 0)]), M0Volume)
    assert (m0.image == 77.0).all()
    with pytest.raises(MissingParameterError, match="M0Estimate"):
        run(Calibrate(header(m0_type="Estimate")), [volume(5, CONTROL, 0)])


def test_included_but_never_seen_is_an_error_at_the_end():
    (notice,) = of_type(run(Calibrate(header()), [volume(5, CONTROL, 0)]), Notice)
    assert notice.level == "error"
    assert "M0Type is Included, but no m0scan volume came" in notice.text


def test_m0_without_signal_is_named_as_such():
    results = run(Calibrate(header()), [volume(0, M0, None, 0), volume(5, CONTROL, 0, 1)])
    assert of_type(results, M0Volume) == []
    (notice,) = of_type(results, Notice)
    assert notice.level == "error"
    assert "M0Type is Included, but the m0scan volume is 0 everywhere: there is no CBF" in notice.text
    results = run(Calibrate(header()), [volume(0, M0, None, 0), volume(0, M0, None, 1)])
    assert "all 2 m0scan volumes are 0 everywhere" in of_type(results, Notice)[0].text


def test_an_m0_that_was_lost_before_is_told_with_the_reason():
    lost = Dropped("volume", "all values are 0", VolumeKey(0, is_m0=True))
    (notice,) = of_type(run(Calibrate(header()), [lost, volume(5, CONTROL, 0, 1)]), Notice)
    assert "M0Type is Included, but the m0scan volume (repetition 0, M0) was dropped: all values are 0" in notice.text
    # by its place in the declared order
    limits = {name: Limits() for name in ("set", "phase")} | {"repetition": Limits(0, 2)}
    declared = replace(header(volume_types=(M0, CONTROL, VolumeType.LABEL)), limits=limits)
    for repetition, said in ((0, "the m0scan volume (repetition 0) was dropped"), (1, "no m0scan volume came")):
        lost = Dropped("volume", "all values are 0", VolumeKey(repetition))
        (notice,) = of_type(run(Calibrate(declared), [lost]), Notice)
        assert f"M0Type is Included, but {said}" in notice.text


def test_absent_gives_nothing_and_an_m0scan_is_then_not_used():
    results = run(
        Calibrate(header(m0_type="Absent", m0_repetition_time=None)), [volume(9, M0, None), volume(5, CONTROL, 0)]
    )
    assert of_type(results, M0Volume) == []
    assert "m0scan volumes are not used" in of_type(results, Notice)[0].text


def test_no_labelling_no_calibration():
    with pytest.raises(ScanHeaderError, match="calibrate: the scan declares no arterial spin labelling"):
        Calibrate(scan_header(asl=None))
