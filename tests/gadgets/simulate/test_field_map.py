from dataclasses import replace

import nibabel
import numpy as np

from perfline.gadgets.mrd.scan_header import parse_scan_header
from perfline.gadgets.simulate.field_map import scan_geometry, write_field_map
from perfline.gadgets.simulate.header import scan_header_xml
from perfline.gadgets.simulate.raw_data import scan_blocks, scan_truth
from perfline.gadgets.simulate.recipes import SPIRAL_RECIPES

RECIPE = replace(
    SPIRAL_RECIPES["spiral_50hz"],
    n_slices=2,
    matrix_x=20,
    matrix_y=24,
    field_of_view_x=180.0,
    n_interleaves=3,
    slice_duration=0.05,
    rotation=(0.2, -0.1, 0.3),
    n_pairs=0,
)


def test_slices_lie_where_the_readouts_say():
    geometry = scan_geometry(RECIPE)
    (block,) = scan_blocks(replace(RECIPE, field_amplitude=0.0))
    for number in range(2):
        head = block.heads[block.heads["idx"]["slice"] == number][0]
        # float32
        np.testing.assert_allclose(geometry.positions[number], head["position"], atol=1e-5)
        np.testing.assert_allclose(geometry.slice_dir, head["slice_dir"], atol=1e-6)
    assert geometry.voxel_size == (9.0, 8.25, 6.0)


def test_field_map_is_on_the_grid_of_the_images(tmp_path):
    truth = scan_truth(RECIPE)
    write_field_map(tmp_path / "field.nii.gz", RECIPE, truth)
    image = nibabel.load(tmp_path / "field.nii.gz")
    np.testing.assert_array_equal(image.get_fdata().T, truth.off_resonance)
    # the middle of slice 1, and a pixel towards x and y beside it, LPS to RAS
    geometry = scan_geometry(RECIPE)
    corner = geometry.positions[1] + 9.0 * geometry.read_dir + 2 * 8.25 * geometry.phase_dir
    np.testing.assert_allclose(image.affine @ [11, 14, 1, 1], [-corner[0], -corner[1], corner[2], 1], atol=1e-4)


def test_slab_is_as_thick_as_its_partitions():
    recipe = SPIRAL_RECIPES["stack_of_spirals"]
    geometry = scan_geometry(recipe)
    assert geometry.voxel_size == (7.0, 7.0, 16.0)
    np.testing.assert_allclose(geometry.positions[6], recipe.position)
    assert len(geometry.positions) == parse_scan_header(scan_header_xml(recipe)).n_slices
