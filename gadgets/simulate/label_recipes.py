"""The named recipes of labelling with several delays, arteries, pulses, and of kidneys."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from perfline.gadgets.simulate.anatomy import Anatomy
from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.label_plan import Delays, TimeEncoding, VesselEncoding
from perfline.gadgets.simulate.scan_recipe import VolumeOrder
from perfline.recon.asl.labeling import BolusCutOffTechnique
from perfline.recon.parameters import LabelingType
from perfline.recon.phantom.asl_series import KineticModel

__all__ = ["LABEL_RECIPES"]

_SMALL: Final = EpiRecipe(
    n_coils=3,
    n_slices=2,
    n_pairs=2,
    n_samples=48,
    dwell_time=10e-6,
    ghost_delay=0.35,
    ghost_phase=0.25,
    position=(2.0, -11.0, 24.0),
    repetition_time=5.0,
)

_SEVERAL_DELAYS: Final = replace(_SMALL, anatomy=Anatomy.SLOW_BRAIN, model=KineticModel.BUXTON)

_PASL: Final = replace(
    _SMALL, labeling_type=LabelingType.PASL, labeling_duration=0.8, labeling_efficiency=0.98, repetition_time=4.0
)

_KIDNEY: Final = replace(
    _SMALL,
    anatomy=Anatomy.KIDNEY,
    matrix_x=70,
    matrix_y=60,
    field_of_view_x=350.0,
    field_of_view_y=300.0,
    n_samples=104,
    dwell_time=5e-6,
    ramp_time=130e-6,
    flat_top_time=300e-6,
    echo_time=20e-3,
    labeling_duration=1.6,
    post_labeling_delay=1.3,
    slice_duration=0.05,
    slice_spacing=8.0,
)

LABEL_RECIPES: Final[Mapping[str, EpiRecipe]] = MappingProxyType(
    {
        "multi_delay": replace(
            _SEVERAL_DELAYS, labels=Delays((0.4, 1.0, 1.6, 2.2, 2.8)), labeling_duration=1.4, seed=31
        ),
        "multi_delay_durations": replace(
            _SEVERAL_DELAYS,
            labels=Delays((0.3, 0.8, 1.3, 1.8, 2.3, 2.8), (1.0, 1.2, 1.4, 1.6, 1.8, 1.8)),
            volume_order=VolumeOrder.ASLCONTEXT,
            label_first=True,
            repetition_time=5.5,
            seed=32,
        ),
        "hadamard": replace(
            _SEVERAL_DELAYS,
            labels=TimeEncoding(8, "walsh", (1.2, 0.8, 0.6, 0.5, 0.45, 0.4, 0.35)),
            post_labeling_delay=0.3,
            repetition_time=5.5,
            decay=True,
            noise_sd=0.0005,
            n_noise_readouts=4,
            background_suppression_pulses=2,
            static_fraction=0.25,
            seed=33,
        ),
        "vessel_encoded": replace(_SMALL, labels=VesselEncoding(), seed=34),
        "pasl_q2tips": replace(
            _PASL, post_labeling_delay=2.3, bolus_cut_off_technique=BolusCutOffTechnique.Q2TIPS, seed=35
        ),
        "pasl_multi_ti": replace(
            _PASL, labels=Delays((0.6, 1.0, 1.4, 1.8, 2.2, 2.6, 3.0)), model=KineticModel.BUXTON, seed=36
        ),
        "pasl_quipss": replace(
            _PASL,
            labeling_duration=1.9,
            post_labeling_delay=2.4,
            bolus_cut_off_technique=BolusCutOffTechnique.QUIPSS,
            saturation_time=1.6,
            seed=40,
        ),
        "pasl_look_locker": replace(
            _PASL,
            labels=Delays(tuple(round(0.4 + 0.3 * number, 9) for number in range(10)), look_locker=True),
            model=KineticModel.BUXTON,
            flip_angle=float(np.deg2rad(25)),
            seed=41,
        ),
        "multi_delay_arterial": replace(
            _SMALL,
            labels=Delays((0.1, 0.3, 0.5, 0.7, 0.9, 1.2, 1.6, 2.0)),
            labeling_duration=1.4,
            model=KineticModel.BUXTON,
            arterial_blood_volume=0.02,
            arterial_arrival_time=0.45,
            seed=42,
        ),
        "multi_delay_dispersed": replace(
            _SEVERAL_DELAYS,
            labels=Delays((0.4, 1.0, 1.6, 2.2, 2.8)),
            labeling_duration=1.4,
            dispersion_sharpness=7.0,
            dispersion_time_to_peak=0.1,
            seed=43,
        ),
        "kidney": replace(_KIDNEY, seed=37),
        "kidney_multi_delay": replace(
            _KIDNEY,
            labels=Delays((0.3, 0.6, 0.9, 1.2, 1.6, 2.0)),
            model=KineticModel.BUXTON,
            seed=38,
        ),
        "kidney_fair": replace(
            _KIDNEY,
            labeling_type=LabelingType.PASL,
            labeling_duration=1.2,
            post_labeling_delay=2.0,
            labeling_efficiency=0.95,
            seed=39,
        ),
    }
)
"""EPI, but the labelling goes with any readout: ``replace(SPIRAL_RECIPES["spiral"], labels=TimeEncoding(12))``.
``multi_delay`` and ``hadamard`` are files of ``sample_raw``."""
