from dataclasses import replace

from scan_headers import ASL

from perfline.gadgets.stages.delays import delay_groups
from perfline.recon.asl.hadamard import hadamard_matrix
from perfline.recon.parameters import VolumeType

M0, C, L = VolumeType.M0SCAN, VolumeType.CONTROL, VolumeType.LABEL


def groups(**asl):
    return delay_groups(replace(ASL, **asl))


def test_a_single_delay_is_one_group():
    assert groups() == ((1.8, 1.8),)


def test_one_value_for_each_delay():
    assert groups(post_labeling_delay=(1.5, 0.5, 1.0)) == ((0.5, 1.8), (1.0, 1.8), (1.5, 1.8))
    assert groups(post_labeling_delay=(0.5, 1.0), labeling_duration=(1.8, 1.4)) == ((0.5, 1.8), (1.0, 1.4))


def test_one_value_for_each_volume_counts_labels_only():
    found = groups(
        volume_types=(M0, C, L, C, L),
        post_labeling_delay=(0.0, 1.0, 1.0, 2.0, 2.0),
        labeling_duration=(0.0, 1.4, 1.4, 1.4, 1.4),
    )
    assert found == ((1.0, 1.4), (2.0, 1.4))


def test_sub_boli_have_their_own_times():
    matrix = tuple(map(tuple, hadamard_matrix(4)))
    found = groups(encoding_matrix=matrix, labeling_duration=(1.0, 0.6, 0.4), post_labeling_delay=(0.9,))
    assert found == ((0.9, 0.4), (1.3, 0.6), (1.9, 1.0))


def test_arteries_share_one_delay():
    assert groups(encoding_matrix=tuple(map(tuple, hadamard_matrix(4)))) == ((1.8, 1.8),)
