import numpy as np
from stage_items import SHAPE, volume
from viewer_items import MASK, RAMP, average, fit, flow, m0

from perfline.gadgets.viewer.shown_maps import PLACES, shown_maps
from perfline.gadgets.viewer.wire import picture_key
from perfline.recon.parameters import VolumeType


def maps_of(*pictures, group="", flow_name="CBF"):
    return shown_maps({picture_key(one): one for one in pictures}, group, flow_name)


def test_all_maps_of_a_scan_with_their_windows_and_units():
    control = volume(3j, VolumeType.CONTROL, 0)
    maps = maps_of(m0(), flow(), average(5), control)
    assert tuple(maps) == PLACES
    windows = {place: (one.low, one.high, one.unit) for place, one in maps.items()}
    assert windows == {
        "control": (0, 3.0, "a.u."),
        "perfusion": (0, 39.0, "a.u."),
        "flow": (0, 100, "mL/100 g/min"),
        "error": (0, 20, "mL/100 g/min"),
        "ratio": (0, 10, "1"),
        "other": (0, 59.0, "a.u."),
    }
    np.testing.assert_array_equal(maps["control"].image, np.full(SHAPE, 3.0))
    np.testing.assert_array_equal(maps["perfusion"].image, RAMP + 5)
    np.testing.assert_array_equal(maps["flow"].image[MASK], RAMP[MASK])
    assert np.isnan(maps["flow"].image[~MASK]).all()
    np.testing.assert_array_equal(maps["ratio"].image[MASK], RAMP[MASK] / 2)
    assert maps["perfusion"].title == "Control - label, mean of 5"
    assert maps["other"].title == "M0"
    assert [place for place, one in maps.items() if one.is_flow] == ["flow"]


def test_transit_times_are_shown_where_the_fit_is_sound():
    maps = maps_of(m0(), flow(fit=fit()))
    assert (maps["other"].title, maps["other"].unit) == ("Arterial transit time", "s")
    sound = MASK.copy()
    sound[1, 1, 1] = False
    np.testing.assert_array_equal(np.isfinite(maps["other"].image), sound)
    np.testing.assert_array_equal(maps["other"].image[sound], (RAMP / 40)[sound])


def test_the_kidney_has_its_own_window_and_without_m0_there_is_no_unit():
    maps = maps_of(flow(), flow_name="RBF")
    assert (maps["flow"].title, maps["flow"].high, maps["error"].high) == ("RBF", 400, 80)
    maps = maps_of(flow(unit="relative"))
    assert (maps["flow"].title, maps["flow"].unit) == ("Blood flow, relative: no M0", "a.u.")
    assert maps["flow"].high == 59.0


def test_what_is_not_there_is_left_out():
    assert maps_of() == {}
    assert list(maps_of(volume(2.0, None, None))) == ["control"]
    assert maps_of(volume(2.0, None, None))["control"].title == "Magnitude, latest"
    # one pair has no spread
    assert list(maps_of(flow(standard_error=np.full(SHAPE, np.nan, np.float32)))) == ["flow"]


def test_the_chosen_delay_or_artery_is_shown():
    pictures = [average(3, delay=0.5), average(4, delay=2.0), flow(fit=fit())]
    assert maps_of(*pictures, group="PLD 2 s")["perfusion"].title == "Control - label, mean of 4"
    assert maps_of(*pictures, group="PLD 0.5 s")["perfusion"].title == "Control - label, mean of 3"
    second = maps_of(flow(artery=1), flow(artery=2), m0(), group="artery 2")
    assert second["flow"].title == "CBF, artery 2"
    assert second["other"].title == "M0"
