"""The time of a filter grows in proportion to the controls on a page.

What is counted does not depend on the machine; what is measured is processor time of the page's
own thread, against the same on a small page of the same browser.
"""

import pytest

from reports.render import html
from tests.support import sample_run
from tests.support.browser import Browser

pytestmark = pytest.mark.browser
SIZES = (50, 1000)
FILTER = """
const form = document.getElementById("filter"), words = document.getElementById("words");
words.value = arguments[0];
form.dispatchEvent(new Event("input"));
document.body.getBoundingClientRect();
"""


@pytest.fixture(scope="module")
def browser():
    made = Browser()
    yield made
    made.close()


@pytest.fixture(scope="module")
def work(browser, tmp_path_factory):
    """By the size of a page: what each of six filters took."""
    folder, found = tmp_path_factory.mktemp("large"), {}
    for size in SIZES:
        page = folder / f"{size}.html"
        page.write_text(html.render(sample_run.large_run(size)), encoding="utf-8")
        browser.open(page)
        browser.count()
        browser.run(FILTER, "")
        found[size] = [browser.spent(FILTER, word) for word in ("7", "") * 3]
    return found


@pytest.mark.parametrize("size", SIZES)
def test_a_filter_looks_at_each_control_once(work, size):
    # Comparing each with each would be fifty for each on the small page, and lay out as often.
    for spent in work[size]:
        assert size <= spent["blocks"] < 10 * size
        assert spent["LayoutCount"] == 1
        # The filter goes into the address, and with it what the address points to.
        assert spent["RecalcStyleCount"] <= 2


def test_a_thousand_controls_stay_fluid(work):
    taken = {size: min(one["seconds"] for one in found) for size, found in work.items()}
    # In proportion it would be 20 times as long, in proportion to the square 400 times.
    assert taken[1000] < 90 * taken[50], taken
