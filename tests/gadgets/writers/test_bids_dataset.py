import json

import pytest

from perfline.gadgets.writers.bids_dataset import BIDS_VERSION, describe_datasets
from perfline.gadgets.writers.bids_tree import BidsTree


def prepared(folder):
    tree = BidsTree(folder, "sub-01")
    tree.derivatives.mkdir(parents=True)
    return tree


def test_both_datasets_say_what_they_are_and_who_made_them(tmp_path):
    tree = prepared(tmp_path)
    files = describe_datasets(tree, with_derivatives=True)
    assert len(files) == 6
    assert all(path.is_file() for path in files)
    for folder, kind in ((tmp_path, "raw"), (tree.derivatives, "derivative")):
        about = json.loads((folder / "dataset_description.json").read_text())
        assert (about["DatasetType"], about["BIDSVersion"]) == (kind, BIDS_VERSION)
        assert (about["GeneratedBy"][0]["Name"], "Version" in about["GeneratedBy"][0]) == ("perfline", True)
    # relative to the derivative dataset
    assert (tree.derivatives / about["DatasetLinks"]["raw"]).resolve() == tmp_path.resolve()
    assert (tree.derivatives / about["SourceDatasets"][0]["URL"]).resolve() == tmp_path.resolve()


def test_without_derivatives_there_is_one_dataset(tmp_path):
    files = describe_datasets(prepared(tmp_path), with_derivatives=False)
    assert [path.parent for path in files] == [tmp_path] * 3


@pytest.mark.parametrize("content", ['{"Name": "mine"}', "[]", "no json"])
def test_a_dataset_of_someone_else_stays_as_it_is(tmp_path, content):
    tree = prepared(tmp_path)
    (tmp_path / "dataset_description.json").write_text(content)
    files = describe_datasets(tree, with_derivatives=True)
    assert {path.parent for path in files} == {tree.derivatives}
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["dataset_description.json"]


def test_what_someone_wrote_beside_our_description_stays(tmp_path):
    tree = prepared(tmp_path)
    describe_datasets(tree, with_derivatives=False)
    (tmp_path / "README.md").rename(tmp_path / "README")
    (tmp_path / ".bidsignore").write_text("mine/")
    files = describe_datasets(tree, with_derivatives=False)
    assert [path.name for path in files] == ["dataset_description.json"]
    assert (tmp_path / ".bidsignore").read_text() == "mine/"
    assert not (tmp_path / "README.md").exists()
