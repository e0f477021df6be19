import numpy as np
import pytest
from nifti_scans import SHAPE, head, m0_image
from report_folders import flow_map, multi_delay_folder, scan_folder, write_map

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.report.content import Figure, SideBySide, Text
from perfline.gadgets.report.scan_folder import read_scan_folder
from perfline.gadgets.report.scan_maps import map_blocks, read_maps

CBF = "derivatives/perfline/sub-01/perf/sub-01_cbf.nii.gz"


def maps(folder):
    return read_maps(read_scan_folder(folder))


def test_maps_come_with_their_windows_and_blood_flow_inside_the_mask(tmp_path):
    found = maps(scan_folder(tmp_path))
    windows = [(row.title, row.vmin, row.vmax, row.unit) for row in found.rows]
    assert windows[0] == ("Cerebral blood flow (CBF)", 0, 100, "mL/100 g/min")
    assert windows[3] == ("Standard error of CBF", 0, 20, "mL/100 g/min")
    assert [row[0] for row in windows[1:3]] == ["Perfusion-weighted", "M0"]
    expected = np.where(head(), flow_map(), np.nan)
    # float32 in the file
    np.testing.assert_allclose(found.flow[0], expected, rtol=1e-6)
    np.testing.assert_allclose(found.rows[2].volume, m0_image(), rtol=1e-6)
    assert (found.flow_name, found.is_relative, found.flow_unit) == ("CBF", False, "mL/100 g/min")
    assert found.geometry.is_known


def test_transit_times_are_shown_where_the_fit_is_sound(tmp_path):
    row = maps(multi_delay_folder(tmp_path)).rows[-1]
    assert (row.title, row.vmax, row.unit) == ("Arterial transit time (ATT)", 2.5, "s")
    sound = head()
    sound[2, 4, 5] = False
    assert np.array_equal(np.isfinite(row.volume), sound)


def test_the_kidney_has_its_own_window(tmp_path):
    files = [
        write_map(tmp_path, "sub-01_rbf.nii.gz", np.full(SHAPE, 210.0), Units="mL/100g/min"),
        write_map(tmp_path, "sub-01_desc-standarderror_rbf.nii.gz", np.full(SHAPE, 9.0)),
    ]
    found = maps(scan_folder(tmp_path, with_maps=False, files=files))
    assert [(row.title, row.vmax) for row in found.rows] == [
        ("Renal blood flow (RBF)", 400),
        ("Standard error of RBF", 80),
    ]


def test_without_m0_the_values_are_relative_and_have_no_fixed_window(tmp_path):
    scan_folder(tmp_path)
    write_map(tmp_path, CBF, 1000 * flow_map(), Units="arbitrary")
    found = maps(tmp_path)
    assert found.is_relative
    assert found.rows[0].title == "Cerebral blood flow (CBF), relative: no M0"
    assert (found.rows[0].vmax > 1000, found.rows[0].unit) == (True, "a.u.")
    assert not any("Standard error" in row.title for row in found.rows)


@pytest.mark.parametrize(
    ("sidecar", "files", "names"),
    [
        ({"PostLabelingDelay": [0.5, 1.25]}, [], [", delay 0.5 s", ", delay 1.25 s"]),
        (
            {"PostLabelingDelay": [2.0, 2.0]},
            ["sub-01_desc-territories_dseg.nii.gz"],
            [", artery 1 of 2", ", artery 2 of 2"],
        ),
        ({}, [], [", map 1 of 2", ", map 2 of 2"]),
    ],
)
def test_several_maps_of_one_file_have_names(tmp_path, sidecar, files, names):
    scan_folder(tmp_path, files=files)
    write_map(tmp_path, CBF, np.stack([flow_map(), 2 * flow_map()]), Units="mL/100g/min", **sidecar)
    rows = maps(tmp_path).rows
    assert [row.title.removeprefix("CBF") for row in rows[:2]] == names
    np.testing.assert_allclose(rows[1].volume[head()], 2 * flow_map()[head()], rtol=1e-6)  # float32 in the file


def test_territories_are_drawn_where_they_are_certain(tmp_path):
    artery, probability = np.zeros(SHAPE), np.zeros((2, *SHAPE))
    artery[1, 2, 3], artery[1, 2, 4], artery[2, 5, 1] = 2, 1, 1
    probability[1, 1, 2, 3], probability[0, 1, 2, 4], probability[0, 2, 5, 1] = 0.95, 0.89, 0.99
    files = [
        write_map(tmp_path, "sub-01_desc-territories_dseg.nii.gz", artery),
        write_map(tmp_path, "sub-01_desc-territories_probseg.nii.gz", probability),
    ]
    found = maps(scan_folder(tmp_path, with_maps=False, files=files))
    (row,) = found.rows
    expected = np.where(probability.max(axis=0) >= 0.9, artery, np.nan)
    np.testing.assert_array_equal(row.volume, expected)
    assert row.levels == ("artery 1", "artery 2")
    assert "where its probability is 0.9 or more" in map_blocks(found)[-1].text


def test_an_error_map_without_a_number_is_left_out(tmp_path):
    scan_folder(tmp_path)
    write_map(tmp_path, CBF.replace("cbf", "desc-standarderror_cbf"), np.full(SHAPE, np.nan))
    assert not any("Standard error" in row.title for row in maps(tmp_path).rows)


def test_a_plain_series_is_shown_by_its_mean(tmp_path):
    name = write_map(tmp_path, "sub-01_epi.nii.gz", np.stack([m0_image(), 3 * m0_image()]))
    found = maps(scan_folder(tmp_path, with_maps=False, files=[name]))
    assert [row.title for row in found.rows] == ["Magnitude, mean of 2"]
    np.testing.assert_allclose(found.rows[0].volume, 2 * m0_image(), rtol=1e-6)  # float32 in the file
    assert found.flow is None


def test_maps_of_two_grids_are_refused(tmp_path):
    scan_folder(tmp_path)
    write_map(tmp_path, CBF.replace("cbf", "deltam"), np.zeros((3, 10, 12)))
    with pytest.raises(ConfigurationError, match=r"sub-01_deltam\.nii\.gz: expected the grid of sub-01_cbf"):
        maps(tmp_path)


def test_narrow_maps_share_a_line(tmp_path):
    first, *others, text = map_blocks(maps(scan_folder(tmp_path)))
    assert isinstance(first, Figure)
    assert isinstance(others[0], SideBySide)
    assert "Radiological orientation: R left" in text.text
    assert "CBF 0 to 100 and its standard error 0 to 20 mL/100 g/min, ATT 0 to 2.5 s" in text.text
    assert text.is_small


def test_a_scan_without_images_says_so(tmp_path):
    blocks = map_blocks(maps(scan_folder(tmp_path, with_maps=False)))
    assert blocks == [Text("The scan left no image.")]
