import json

import nibabel
import numpy as np
import pytest

from perfline.gadgets.errors import ConfigurationError
from perfline.gadgets.replay.transit_time_file import read_transit_time

SECONDS = np.random.default_rng(3).uniform(0.5, 2.5, (2, 4, 3)).astype(np.float32)


def saved(folder, values, **sidecar):
    path = folder / "sub-01_att.nii.gz"
    nibabel.Nifti1Image(np.ascontiguousarray(values.T), np.diag([3.0, 3, 5, 1])).to_filename(path)
    if sidecar:
        (folder / "sub-01_att.json").write_text(json.dumps(sidecar))
    return path


def test_a_map_in_seconds_is_read_in_our_axis_order(tmp_path):
    found = read_transit_time(saved(tmp_path, SECONDS, Units="s"))
    np.testing.assert_array_equal(found.seconds, SECONDS)
    assert found.name == "transit time sub-01_att.nii.gz"


def test_voxels_that_are_not_known_stay_so(tmp_path):
    values = SECONDS.copy()
    values[0, 0] = np.nan
    assert np.isnan(read_transit_time(saved(tmp_path, values)).seconds[0, 0]).all()


@pytest.mark.parametrize(
    ("values", "sidecar", "message"),
    [
        (1000 * SECONDS, {}, "expected seconds, 0 to 10, got 5.* to 2"),
        (-SECONDS, {}, "expected seconds, 0 to 10, got -2"),
        (np.full((2, 4, 3), np.nan, np.float32), {}, "expected seconds, 0 to 10, got none"),
        (SECONDS, {"Units": "ms"}, "Units of its sidecar: expected s, got 'ms'"),
    ],
)
def test_other_units_are_refused(tmp_path, values, sidecar, message):
    with pytest.raises(ConfigurationError, match=message):
        read_transit_time(saved(tmp_path, values, **sidecar))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"absent.nii"):
        read_transit_time(tmp_path / "absent.nii")
