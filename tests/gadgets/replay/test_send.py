import os

from end_to_end.hosts import serving
from full_disk import filled_up
from small_scan import RECIPE

from perfline.gadgets.replay.send import send_file
from perfline.gadgets.simulate.write_mrd import write_scan


def test_images_that_can_not_be_saved_are_told_and_the_scan_goes_on(tmp_path, monkeypatch):
    path = tmp_path / "scan.h5"
    write_scan(path, RECIPE)
    with serving(n_scans=2) as (server, summaries):
        whole, files = send_file(path, server.address, "pcasl_epi", out=tmp_path / "out")
        # the first images find room
        monkeypatch.setattr(os, "pwrite", filled_up(20_000))
        cut, no_files = send_file(path, server.address, "pcasl_epi", out=tmp_path / "full")
    assert (cut.n_images, cut.n_readouts, cut.failure) == (whole.n_images, whole.n_readouts, None)
    assert [one.status for one in summaries] == ["success", "success"]
    assert (whole.errors, files) == ((), (tmp_path / "out/images.mrd.h5",))
    assert cut.errors == (f"file {tmp_path}/full/images.mrd.h5: can't be written: No space left on device",)
    assert no_files == ()
    assert list((tmp_path / "full").iterdir()) == []
