from dataclasses import replace

import numpy as np
import pytest

from perfline.gadgets.simulate.anatomy import Anatomy
from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.label_plan import Delays, TimeEncoding, VesselEncoding
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe, slice_directions
from perfline.recon.asl.dispersion import GammaDispersion
from perfline.recon.asl.labeling import BolusCutOffTechnique
from perfline.recon.errors import InputError
from perfline.recon.parameters import LabelingType
from perfline.recon.phantom.arterial_blood import with_arterial_blood
from perfline.recon.phantom.asl_series import KineticModel
from perfline.recon.phantom.brain import brain_phantom
from perfline.recon.phantom.kidney import kidney_phantom
from perfline.recon.phantom.readout_train import ReadoutTrain
from perfline.recon.phantom.slow_brain import slow_brain_phantom

SMALL = EpiRecipe(n_pairs=2, n_m0=2, n_slices=5)

QUIPSS = {
    "labeling_type": LabelingType.PASL,
    "bolus_cut_off_technique": BolusCutOffTechnique.QUIPSS,
    "saturation_time": 0.6,
}
GAMMA = {"dispersion_sharpness": 7.0, "dispersion_time_to_peak": 0.1}
TRAIN = {
    "labeling_type": LabelingType.PASL,
    "labeling_duration": 0.7,
    "labels": Delays((0.5, 1.3, 1.8), look_locker=True),
    "flip_angle": 0.4,
}


def test_slice_timing():
    assert SMALL.slice_timing == (0.0, 0.04, 0.08, 0.12, 0.16)
    interleaved = replace(SMALL, interleaved_slices=True)
    assert interleaved.slice_order == (0, 2, 4, 1, 3)
    assert interleaved.slice_timing == (0.0, 0.12, 0.04, 0.16, 0.08)
    assert interleaved.series.slice_timing == interleaved.slice_timing


def test_slice_positions_are_centred():
    assert SMALL.slice_positions == (-20.0, -10.0, 0.0, 10.0, 20.0)
    assert replace(SMALL, n_slices=2).slice_positions == (-5.0, 5.0)


def test_directions_are_right_handed_and_oblique():
    np.testing.assert_array_equal(slice_directions(SMALL), np.eye(3))
    directions = slice_directions(replace(SMALL, rotation=(0.2, -0.1, 0.3)))
    np.testing.assert_allclose(directions @ directions.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.cross(directions[0], directions[1]), directions[2], atol=1e-12)
    # a turn about L takes P towards S
    assert slice_directions(replace(SMALL, rotation=(0.2, 0, 0)))[1] == pytest.approx([0, np.cos(0.2), np.sin(0.2)])


def test_background_suppression_takes_label():
    assert replace(SMALL, background_suppression_pulses=2).series.scheme.labeling_efficiency == pytest.approx(
        0.85 * 0.95**2
    )


def test_pasl_has_no_labelling_before_its_delay():
    assert SMALL.preparation_time == pytest.approx(3.6)
    assert replace(SMALL, labeling_type=LabelingType.PASL).preparation_time == pytest.approx(1.8)


def test_each_component_has_its_own_contrast():
    recipe = replace(SMALL, labels=Delays((2.5, 0.5), (1.0, 1.4)))
    schemes = [recipe.series_of(one).scheme for one in recipe.components]
    assert [(one.labeling_duration, one.post_labeling_delay) for one in schemes] == [(1.0, 2.5), (1.4, 0.5)]
    # the series as a whole is that of the longest delay, and so is the time that a repetition needs
    assert recipe.series == recipe.series_of(recipe.components[0])
    assert recipe.preparation_time == pytest.approx(3.5)
    assert recipe.preparation_time_of(recipe.components[1]) == pytest.approx(1.9)
    vessels = replace(SMALL, labels=VesselEncoding())
    assert [vessels.series_of(one).artery for one in vessels.components] == [0, 1, 2]
    assert vessels.series.artery is None


def test_sub_boli_fill_the_preparation():
    recipe = replace(SMALL, labels=TimeEncoding(4, "walsh", (1.2, 0.8, 0.5)), post_labeling_delay=0.3)
    assert recipe.preparation_time == pytest.approx(2.8)


def test_phantom_is_the_anatomy():
    assert replace(SMALL, anatomy=Anatomy.KIDNEY).phantom == kidney_phantom()
    pulsed = replace(SMALL, anatomy=Anatomy.KIDNEY, labeling_type=LabelingType.PASL)
    assert pulsed.phantom == kidney_phantom(LabelingType.PASL)
    assert replace(SMALL, anatomy=Anatomy.SLOW_BRAIN).phantom == slow_brain_phantom()
    assert SMALL.phantom == brain_phantom()


def test_how_the_label_travels_is_in_the_series():
    scheme = replace(SMALL, **QUIPSS).series.scheme
    assert (scheme.saturation_time, scheme.labeling_duration, scheme.dispersion) == (0.6, 1.8, None)
    dispersed = replace(SMALL, **GAMMA, model=KineticModel.BUXTON).series.scheme
    assert dispersed.dispersion == GammaDispersion(7.0, 0.1)
    trains = [replace(SMALL, **TRAIN).series_of(one) for one in replace(SMALL, **TRAIN).components]
    assert {series.train for series in trains} == {ReadoutTrain((0.5, 1.3, 1.8), 0.4)}
    assert [series.scheme.post_labeling_delay for series in trains] == [0.5, 1.3, 1.8]
    assert SMALL.series.train is None
    arterial = replace(SMALL, arterial_blood_volume=0.03, arterial_arrival_time=0.5)
    assert arterial.phantom == with_arterial_blood(brain_phantom(), 0.03, 0.5)


def test_a_scan_needs_a_readout():
    with pytest.raises(TypeError, match="abstract"):
        SimulationRecipe()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"n_coils": 0}, "n_coils"),
        ({"n_pairs": -1}, "n_pairs"),
        ({"n_pairs": 0, "n_m0": 0}, "expected at least one volume"),
        ({"n_noise_readouts": 1}, "n_noise_readouts: expected 0 where noise_sd is 0"),
        ({"repetition_time": 3.7}, r"repetition_time: expected at least 3\.8 s, got 3\.7 s"),
        ({"m0_repetition_time": 2.0}, "m0_repetition_time: expected at least"),
        ({"background_suppression_pulses": -1}, "background_suppression_pulses"),
        ({"labels": Delays((0.5, 2.3))}, r"repetition_time: expected at least 4\.3 s, got 4\.2 s"),
        ({"labels": TimeEncoding(4), "labeling_type": LabelingType.PASL}, "labels: expected PCASL or CASL"),
        ({"bolus_cut_off_technique": BolusCutOffTechnique.QUIPSS}, "expected QUIPSS with PASL alone, got PCASL"),
        (
            QUIPSS | {"saturation_time": 0.0},
            r"saturation_time: expected above 0 and before the first excitation at 1\.8 s for QUIPSS, got 0 s",
        ),
        (QUIPSS | {"saturation_time": 1.8}, r"saturation_time: .*got 1\.8 s"),
        ({"saturation_time": 0.6}, r"saturation_time: expected 0 for QUIPSSII, got 0\.6 s"),
        ({"dispersion_sharpness": 7.0}, "time_to_peak"),
        (GAMMA, "model: expected buxton with dispersion, got consensus"),
        # the marker, without flow, relaxes with 0.3 s, blood with 1.65 s
        (
            GAMMA | {"model": KineticModel.BUXTON, "dispersion_sharpness": 2.0},
            r"sharpness: expected above 2\.72727 / s, got 2 / s",
        ),
        ({"arterial_blood_volume": -0.1}, "abv: expected a share from 0 to 1"),
        ({"arterial_blood_volume": 0.1, "arterial_arrival_time": -1.0}, "arrival_time"),
        (TRAIN | {"labeling_type": LabelingType.PCASL}, "labels.look_locker: expected PASL, got PCASL"),
        (
            TRAIN | {"n_slices": 13},
            r"post_labeling_delays: expected steps of at least 0\.52 s for 13 slices, got 0\.5 s",
        ),
        (TRAIN | {"flip_angle": 25.0}, r"flip_angle: expected above 0, at most pi/2 \[rad\], got 25"),
        ({"labels": VesselEncoding(((1.0, 1.0), (1.0, -1.0)))}, "a column for each of the 3 arteries of brain, got 1"),
        ({"labels": VesselEncoding(), "anatomy": Anatomy.KIDNEY}, "each of the 0 arteries of kidney, got 3"),
        ({"labels": TimeEncoding(4), "label_first": True}, "label_first: expected false for an encoded scan"),
    ],
)
def test_impossible_scans_are_refused(changes, match):
    with pytest.raises(InputError, match=match):
        replace(SMALL, **changes)
