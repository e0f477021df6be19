import numpy as np
import pytest
from stage_items import SHAPE, volume

from perfline.gadgets.errors import OutputError
from perfline.gadgets.stage_data import VolumeLabel
from perfline.gadgets.writers.bids_series import Series, volume_spacing
from perfline.recon.parameters import VolumeType

CONTROL, LABEL, M0 = VolumeType.CONTROL, VolumeType.LABEL, VolumeType.M0SCAN


def labels(*types):
    return [VolumeLabel(kind, index, None, None, None) for index, kind in enumerate(types)]


def test_magnitudes_are_spooled_beside_the_image_to_be(tmp_path):
    first = volume(np.full(SHAPE, 3 + 4j), CONTROL, 0, 0)
    series = Series(tmp_path / "new" / "sub-01_asl.nii.gz", first)
    series.append(first)
    series.append(volume(2.0, None, None, 1))
    assert [path.name for path in (tmp_path / "new").iterdir()] == [".partial-sub-01_asl.f32"]
    assert series.spool.volumes()[:, 0, 0, 0].tolist() == [5, 2]
    assert [label.volume_type for label in series.labels] == [CONTROL]
    series.spool.discard()


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="output folder"):
        Series(tmp_path / "file" / "sub-01_asl.nii.gz", volume(1.0, CONTROL, 0, 0))


@pytest.mark.parametrize(
    ("times", "types", "spacing"),
    [
        (None, [CONTROL, LABEL], None),
        (4.0, [M0, CONTROL], 4.0),
        ([8.0, 4.0, 4.0], [M0, CONTROL, LABEL], 4.0),
        ([4.0, 5.0], [CONTROL, LABEL], None),
        ([8.0], [M0], None),
    ],
)
def test_the_time_between_volumes_is_that_of_the_pairs(times, types, spacing):
    sidecar = {} if times is None else {"RepetitionTimePreparation": times}
    assert volume_spacing(sidecar, labels(*types)) == spacing
