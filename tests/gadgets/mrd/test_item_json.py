import json
from dataclasses import replace

import numpy as np
import pytest
from mrd_items import delta_m, geometry, m0, same_item, volume

from perfline.gadgets.mrd.item_json import item_as_json, item_from_json, n_slices_in_json
from perfline.recon.errors import InputError

ENCODED = replace(volume(), label=replace(volume().label, cycle=5))


@pytest.mark.parametrize(
    "item",
    [volume(), ENCODED, volume(with_label=False), m0(), delta_m(), delta_m(artery=2)],
    ids=lambda one: type(one).__name__,
)
def test_round_trip_is_exact(item):
    text = item_as_json(item)
    assert "\n" not in text
    assert same_item(item_from_json(text, item.image), item)
    assert n_slices_in_json(text) == 3


def test_a_ghost_level_that_is_unknown():
    item = replace(volume(), ghost_level=float("nan"))
    assert np.isnan(item_from_json(item_as_json(item), item.image).ghost_level)


def test_geometry_of_a_single_slice():
    item = replace(m0(), geometry=replace(geometry(), positions=np.ones((1, 3))), image=m0().image[:1])
    assert same_item(item_from_json(item_as_json(item), item.image), item)


def test_pixels_of_another_type():
    with pytest.raises(InputError, match="Volume: expected pixels of type complex64, got float32"):
        item_from_json(item_as_json(volume()), np.abs(volume().image))


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"type":"M0Volume"}', json.dumps({"type": "DeltaMVolume", "geometry": {"positions": 3}})]
)
def test_what_is_no_item(text):
    with pytest.raises(InputError, match="PERFLINE_Item: expected an item as JSON"):
        item_from_json(text, delta_m().image)


def test_unknown_type_of_item():
    text = item_as_json(delta_m()).replace("DeltaMVolume", "Other")
    with pytest.raises(InputError, match="expected Volume, M0Volume or DeltaMVolume, got 'Other'"):
        item_from_json(text, delta_m().image)


def test_number_of_slices_of_rubbish():
    with pytest.raises(InputError, match="expected an item as JSON"):
        n_slices_in_json("{}")
