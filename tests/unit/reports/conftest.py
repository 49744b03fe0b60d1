"""Examines each bundle that a test examines with the script for auditors as well.

docs/verify_bundle.py shares no code with Drillbook; the two must come to the same verdict.
"""

import pytest

from reports.seal import verification as checks
from reports.seal.verification import Examination
from tests.support.bundles import script


def script_verdict(path, trust, folder):
    keys = trust.keys or {}
    try:
        return script.judge(path, keys, trust.unsigned, trust.previous, folder)[0].split()[0]
    except script.Unusable:
        return "UNUSABLE"


@pytest.fixture(autouse=True)
def compared(monkeypatch):
    """Pairs of Drillbook's and the script's verdict, which must agree after the test.

    A test that changes limits of Drillbook alone clears them.
    """
    examine, pairs = Examination.examine, []

    def both(self):
        said = "UNUSABLE"
        try:
            examine(self)
            said = checks._WORD.findall(checks._judge(self)[0])[0]
        finally:
            if self.trust.authorities is None:
                pairs.append((said, script_verdict(self.path, self.trust, self.folder)))

    monkeypatch.setattr(Examination, "examine", both)
    yield pairs
    assert [drillbook for drillbook, _ in pairs] == [auditor for _, auditor in pairs]
