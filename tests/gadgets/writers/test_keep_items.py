from scan_headers import scan_header
from stage_items import volume

from perfline.gadgets.stage_data import Notice, Volume
from perfline.gadgets.writers.keep_items import KeepItems

ITEMS = [volume(1, None, None), Notice("info", "x"), volume(2, None, None)]


def test_everything_is_kept_in_order():
    sink = KeepItems()
    assert sink.header is None
    header = scan_header()
    sink.open(header)
    for item in ITEMS:
        sink.write(item)
    assert sink.close(None) == ()
    assert sink.header is header
    assert [kept is item for kept, item in zip(sink.items, ITEMS, strict=True)] == [True] * 3


def test_only_the_kind_wanted_is_kept():
    sink = KeepItems(Volume)
    for item in ITEMS:
        sink.write(item)
    assert len(sink.items) == 2
    assert sink.items[0] is ITEMS[0]
    assert sink.items[1] is ITEMS[2]
