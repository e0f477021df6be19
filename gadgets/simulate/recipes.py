"""The named recipes."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import numpy as np

from perfline.gadgets.simulate.epi_recipe import EpiRecipe
from perfline.gadgets.simulate.label_recipes import LABEL_RECIPES
from perfline.gadgets.simulate.scan_recipe import SimulationRecipe
from perfline.gadgets.simulate.spiral_recipe import SpiralEncoding, SpiralRecipe

__all__ = ["EPI_RECIPES", "LABEL_RECIPES", "RECIPES", "SPIRAL_RECIPES"]

_CLEAN: Final = EpiRecipe(
    ghost_delay=0.35, ghost_phase=0.25, position=(2.0, -11.0, 24.0), interleaved_slices=True, seed=11
)

EPI_RECIPES: Final = MappingProxyType(
    {
        "clean": _CLEAN,
        "realistic": replace(
            _CLEAN,
            n_slices=3,
            n_pairs=8,
            n_samples=52,
            acquisition_delay=26e-6,
            dwell_time=9e-6,
            decay=True,
            noise_sd=0.002,
            n_noise_readouts=4,
            phase_jitter=0.05,
            background_suppression_pulses=2,
            static_fraction=0.25,
            rotation=(0.2, 0.0, 0.05),
            interleaved_slices=False,
            seed=12,
        ),
        "bench": EpiRecipe(
            n_coils=16,
            n_slices=12,
            matrix_x=64,
            matrix_y=64,
            field_of_view_x=220.0,
            field_of_view_y=220.0,
            slice_spacing=6.0,
            slice_thickness=5.0,
            n_samples=128,
            ramp_time=130e-6,
            flat_top_time=300e-6,
            acquisition_delay=24e-6,
            dwell_time=4e-6,
            echo_time=22e-3,
            repetition_time=4.5,
            n_pairs=10,
            ghost_delay=0.35,
            ghost_phase=0.25,
            noise_sd=0.005,
            slice_duration=0.045,
            seed=13,
        ),
    }
)
"""EPI: ``clean`` and ``realistic`` are the files of ``sample_raw``; ``bench`` has 16,884 readouts."""

_SPIRAL: Final = SpiralRecipe(
    n_slices=3,
    matrix_x=48,
    matrix_y=44,
    field_of_view_x=216.0,
    field_of_view_y=198.0,
    n_pairs=3,
    position=(2.0, -11.0, 24.0),
    interleaved_slices=True,
    seed=21,
)

_SPIRAL_50HZ: Final = replace(
    _SPIRAL,
    field_amplitude=50.0,
    field_frequency=(0.0, 1.25 / 440, 0.5 / 440),
    field_phase=-np.pi / 2,
    seed=22,
)

SPIRAL_RECIPES: Final = MappingProxyType(
    {
        "spiral": _SPIRAL,
        "spiral_50hz": _SPIRAL_50HZ,
        "spiral_dual_echo": replace(
            _SPIRAL_50HZ, n_interleaves=3, second_echo_time=10e-3, slice_duration=0.06, decay=True, seed=23
        ),
        "spiral_r2": replace(
            _SPIRAL, n_coils=8, n_interleaves=2, acceleration=2, n_discard_pre=8, n_discard_post=4, seed=24
        ),
        "stack_of_spirals": SpiralRecipe(
            encoding=SpiralEncoding.STACK,
            n_slices=12,
            matrix_x=32,
            matrix_y=28,
            field_of_view_x=224.0,
            field_of_view_y=196.0,
            slice_spacing=16.0,
            slice_thickness=16.0,
            position=(-3.0, 6.0, -8.0),
            rotation=(0.2, 0.0, 0.05),
            n_interleaves=3,
            n_shots=3,
            interleaved_shots=True,
            dwell_time=6e-6,
            repetition_time=4.5,
            n_pairs=2,
            slice_duration=0.02,
            decay=True,
            noise_sd=0.001,
            n_noise_readouts=4,
            background_suppression_pulses=2,
            static_fraction=0.25,
            seed=25,
        ),
        "cones": SpiralRecipe(
            encoding=SpiralEncoding.CONES,
            n_slices=24,
            matrix_x=24,
            matrix_y=26,
            field_of_view_x=192.0,
            field_of_view_y=208.0,
            slice_spacing=8.0,
            slice_thickness=8.0,
            n_interleaves=2,
            n_cones=42,
            n_shots=4,
            repetition_time=5.0,
            n_pairs=1,
            slice_duration=0.03,
            seed=26,
        ),
        "bench_spiral": SpiralRecipe(
            n_coils=32,
            n_slices=20,
            matrix_x=64,
            matrix_y=64,
            field_of_view_x=220.0,
            field_of_view_y=220.0,
            slice_spacing=6.0,
            slice_thickness=5.0,
            dwell_time=4e-6,
            repetition_time=4.6,
            n_pairs=5,
            slice_duration=0.045,
            noise_sd=0.005,
            seed=27,
        ),
        "bench_stack": SpiralRecipe(
            encoding=SpiralEncoding.STACK,
            n_coils=32,
            n_slices=24,
            matrix_x=128,
            matrix_y=128,
            field_of_view_x=220.0,
            field_of_view_y=220.0,
            slice_spacing=8.0,
            slice_thickness=8.0,
            n_interleaves=4,
            n_shots=4,
            interleaved_shots=True,
            dwell_time=2e-6,
            repetition_time=4.5,
            n_pairs=1,
            slice_duration=0.025,
            seed=28,
        ),
    }
)
"""``spiral`` and ``stack_of_spirals`` are files of ``sample_raw``. Of the others, ``spiral_50hz`` is ``spiral``
with a smooth off-resonance of -50 to 50 Hz over the head, ``spiral_dual_echo`` can measure it by a second echo,
``spiral_r2`` leaves every other interleaf out, and the ``bench`` recipes are the cases of the benchmark."""

RECIPES: Final[Mapping[str, SimulationRecipe]] = MappingProxyType({**EPI_RECIPES, **SPIRAL_RECIPES, **LABEL_RECIPES})
"""All of them."""
