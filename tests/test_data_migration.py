"""An export has the tags of each secret, of a release that lists them and of one that does not."""

from types import SimpleNamespace

import pytest

from fixtures.data import migration

TAGS = [{"slug": "audited", "color": "#c0392b"}]


class Instance:
    """One secret with a tag; the list of a release of July 2024 leaves tags out."""

    routes = SimpleNamespace(secrets="/raw", project_field="workspaceId")

    def __init__(self, listing, count=1):
        self.listing = listing
        self.count = count
        self.notes = []
        self.recorder = SimpleNamespace(note=self.notes.append)
        self.singly = []
        self.http = self

    def folders(self, _place):
        return []

    def call(self, _method, path, params):
        assert params["environment"] == "dev"
        one = {"secretKey": "A B", "secretValue": "", "secretComment": ""}
        if path == "/raw":
            return {"secrets": [{**one, "tags": TAGS} if self.listing else one] * self.count}
        self.singly.append(path)
        return {"secret": {**one, "tags": TAGS}}


@pytest.mark.parametrize(("listing", "singly"), [(True, []), (False, ["/raw/A%20B"])])
def test_tags_are_there(listing, singly):
    instance = Instance(listing)
    shipment = migration.export(instance, "project", ("dev",))
    assert [one.tags for one in shipment["dev", "/"]] == [{("audited", "#c0392b")}]
    assert instance.singly == singly


@pytest.mark.parametrize(("listing", "notes"), [(True, 0), (False, 1)])
def test_of_a_large_folder_nobody_asks_each_secret_for_its_tags(listing, notes):
    instance = Instance(listing, count=51)
    items = migration.export(instance, "project", ("dev",))["dev", "/"]
    assert (len(items), instance.singly, len(instance.notes)) == (51, [], notes)
    assert all(bool(one.tags) == listing for one in items)
