"""The off-resonance of a simulated scan as a file, for a reconstruction that is given a field map."""

from pathlib import Path

import numpy as np

from perfline.gadgets.simulate.scan_recipe import SimulationRecipe, slice_directions
from perfline.gadgets.stage_data import SliceGeometry
from perfline.gadgets.writers.nifti import write_nifti
from perfline.recon.phantom.truth import TruthMaps

__all__ = ["scan_geometry", "write_field_map"]


def scan_geometry(recipe: SimulationRecipe) -> SliceGeometry:
    """Say where the slices of a recipe lie.

    Parameters
    ----------
    recipe : SimulationRecipe

    Returns
    -------
    SliceGeometry

    Examples
    --------
    >>> from perfline.gadgets.simulate.epi_recipe import EpiRecipe
    >>> scan_geometry(EpiRecipe(n_slices=2, position=(1.0, 2.0, 3.0))).positions
    array([[ 1.,  2., -2.],
           [ 1.,  2.,  8.]])
    """
    read, phase, normal = slice_directions(recipe)
    positions = np.asarray(recipe.position) + np.outer(recipe.slice_positions, normal)
    thickness = recipe.slice_thickness if recipe.partition_axis is None else recipe.partition_axis.voxel_size
    voxel_size = (recipe.readout_axis.voxel_size, recipe.phase_axis.voxel_size, thickness)
    return SliceGeometry(positions, read, phase, normal, voxel_size, is_known=True)


def write_field_map(path: Path, recipe: SimulationRecipe, truth: TruthMaps) -> None:
    """Write the true off-resonance of a scan [Hz] on the grid of its images.

    Parameters
    ----------
    path : Path
        Ending in ``.nii`` or ``.nii.gz``.
    recipe : SimulationRecipe
    truth : TruthMaps
        Of this recipe.

    Raises
    ------
    OutputError
        The file can't be written.
    """
    write_nifti(path, truth.off_resonance, scan_geometry(recipe))
