"""The pages in a real browser: quiet, alone, searchable, reachable by link, keyboard and ear."""

from datetime import date
from itertools import pairwise

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from reports.history.overview import render as history_page
from reports.render import html
from tests.support import sample_run
from tests.support.browser import CONTRAST, Browser
from tests.unit.reports.history.test_changes import history

pytestmark = pytest.mark.browser
SHOWN = "return [...document.querySelectorAll('details.control:not([hidden])')].map(e => e.id)"
FOCUS = "const e = document.activeElement; return e.id || e.textContent.trim().slice(0, 40)"
NAMED = (
    "textbox",
    "searchbox",
    "combobox",
    "checkbox",
    "button",
    "link",
    "image",
    "table",
    "region",
)


@pytest.fixture(scope="module")
def browser():
    made = Browser()
    yield made
    made.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    rehearsal = sample_run.run().subject.model_copy(update={"grade": "rehearsal"})
    facts = sample_run.run().run.model_copy(update={"command": "drillbook verify"})
    made = {
        "report": html.render(sample_run.run(run=facts)),
        "rehearsal": html.render(sample_run.waived_run(subject=rehearsal)),
        "history": history_page(history(), "runs", date(2027, 1, 1)),
        "of 1000": html.render(sample_run.large_run(1000)),
    }
    for name, text in made.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in made}


ALL = pytest.mark.parametrize("name", ["report", "rehearsal", "history"])


def find(browser, selector):
    return browser.driver.find_element("css selector", selector)


def settle(browser):
    """Until the page has done what it puts off to the next frame."""
    browser.driver.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => setTimeout(done, 60))"
    )


def shown(browser):
    return browser.run(SHOWN)


@pytest.mark.parametrize("name", ["report", "rehearsal", "history", "of 1000"])
def test_page_is_quiet_and_asks_for_nothing_but_itself(browser, pages, name):
    browser.open(pages[name])
    said, asked = browser.noise()
    assert said == []
    assert set(asked) == {pages[name].as_uri()}


def test_search_finds_by_id_word_and_framework(browser, pages):
    browser.open(pages["report"])
    assert len(shown(browser)) == 6
    words = find(browser, "#words")
    words.send_keys("password dead")
    assert shown(browser) == ["DBP-2"]
    assert find(browser, "#shown").text.startswith("1 of 6 controls are shown")
    words.clear()
    words.send_keys("key-12")
    assert shown(browser) == ["KEY-12"]
    words.clear()
    words.send_keys("nothing has this")
    assert shown(browser) == []
    assert browser.run("return [...document.querySelectorAll('.chapter')].every(e => e.hidden)")


def test_filters_by_verdict_chapter_and_framework_work_together(browser, pages):
    browser.open(pages["report"])
    find(browser, "input[value=violated]").click()
    assert shown(browser) == ["KEY-3"]
    find(browser, "input[value=satisfied]").click()
    assert shown(browser) == ["KEY-3", "KEY-5"]
    Select(find(browser, "#chapter")).select_by_visible_text("database")
    assert shown(browser) == []
    find(browser, "button[type=reset]").click()
    settle(browser)
    assert len(shown(browser)) == 6
    framework = Select(find(browser, "#framework"))
    assert "NIST 800-53 SC-12" in [option.text for option in framework.options]
    framework.select_by_value("nist SC-12")
    expected = [
        one.id for one in sample_run.run().controls if "SC-12" in one.frameworks.get("nist", ())
    ]
    assert shown(browser) == expected != []


def test_address_has_the_filter_and_an_address_with_one_sets_it(browser, pages):
    browser.open(pages["report"])
    find(browser, "input[value=violated]").click()
    find(browser, "#words").send_keys("key")
    assert browser.run("return location.hash") == "#words=key&verdict=violated"
    browser.open(pages["report"], "#words=key&verdict=satisfied")
    settle(browser)
    assert shown(browser) == ["KEY-5"]
    assert find(browser, "#words").get_property("value") == "key"
    find(browser, "button[type=reset]").click()
    settle(browser)
    assert browser.run("return location.hash") == "#controls"


def test_counts_at_the_top_set_the_filter(browser, pages):
    browser.open(pages["report"])
    find(browser, ".outcome .counts a.violated").click()
    settle(browser)
    assert shown(browser) == ["KEY-3"]
    assert find(browser, "input[value=violated]").is_selected()


def test_everything_is_folded_until_it_is_asked_for(browser, pages):
    browser.open(pages["report"])
    assert browser.run("return document.querySelectorAll('details[open]').length") == 0
    find(browser, "#KEY-3 > summary").click()
    assert browser.run("return document.getElementById('KEY-3').open")


def test_contents_stay_in_sight_and_are_called_as_their_headings(browser, pages):
    browser.open(pages["report"])
    browser.run("document.getElementById('sign-off').scrollIntoView()")
    assert browser.run("return document.querySelector('nav').getBoundingClientRect().top") == 0
    names = browser.run(
        "return [...document.querySelectorAll('nav .contents a')].map(e => "
        "[e.textContent, document.querySelector(e.hash + ' h2').textContent])"
    )
    assert names
    assert [link for link, heading in names if link != heading] == []


def test_the_verdict_follows_only_once_the_header_is_out_of_sight(browser, pages):
    browser.open(pages["report"])
    shown = "return document.querySelector('nav .where').checkVisibility()"
    until = WebDriverWait(browser.driver, 20, 0.05).until
    until(lambda _: not browser.run(shown))
    browser.run("document.getElementById('sign-off').scrollIntoView()")
    until(lambda _: browser.run(shown))


@ALL
def test_links_within_a_text_are_known_without_their_colour(browser, pages, name):
    browser.open(pages[name])
    plain = browser.run(
        "return [...document.querySelectorAll('main p a, main li a, main td a')].filter(e => "
        "e.checkVisibility() && !getComputedStyle(e).textDecorationLine.includes('underline'))"
        ".map(e => e.outerHTML)"
    )
    assert plain == []


def test_a_command_can_be_copied(browser, pages):
    browser.open(pages["report"], "#KEY-3")
    settle(browser)
    grant = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.driver.execute_cdp_cmd("Browser.grantPermissions", grant)
    find(browser, "#KEY-3 .again .copy").click()
    settle(browser)
    assert find(browser, "#KEY-3 .again .copy").text == "Copied"
    text = browser.run("return navigator.clipboard.readText()")
    assert text == find(browser, "#KEY-3 .again code").text
    assert "KEY-3" in text


@pytest.mark.parametrize("control", ["KEY-5", "DEP-2"])
def test_a_deep_link_opens_its_control_and_goes_there(browser, pages, control):
    browser.open(pages["report"], f"#{control}", height=500)
    settle(browser)
    at = f"document.getElementById('{control}')"
    assert browser.run(f"return {at}.open")
    assert browser.run(f"const r = {at}.getBoundingClientRect(); return r.top >= 0 && r.top < 500")
    assert browser.run(f"return {at}.contains(document.activeElement)")


def test_a_link_within_the_page_wins_over_a_filter(browser, pages):
    browser.open(pages["report"])
    find(browser, "#words").send_keys("key-12")
    browser.run("location.hash = 'DBP-1'")
    settle(browser)
    assert browser.run("return document.getElementById('DBP-1').open")
    assert len(shown(browser)) == 6


def test_a_hostile_link_does_nothing(browser, pages):
    browser.open(pages["report"], "#%3Cimg%20src=x%3E")
    assert browser.noise()[0] == []
    browser.open(pages["report"], "#%E0%A4%A")
    assert browser.noise()[0] == []
    assert len(shown(browser)) == 6


def test_keys_reach_everything_in_the_order_it_is_read(browser, pages):
    browser.open(pages["report"])
    press = ActionChains(browser.driver)
    press.send_keys(Keys.TAB).perform()
    assert browser.run(FOCUS) == "Skip to the controls"
    press.send_keys(Keys.ENTER).perform()
    press.send_keys(Keys.TAB).perform()
    assert browser.run(FOCUS) == "words"
    press.send_keys("key-5").perform()
    assert shown(browser) == ["KEY-5"]
    stops = []
    while not stops or "KEY-5" not in stops[-1]:
        press.send_keys(Keys.TAB).perform()
        stops.append(browser.run(FOCUS))
        assert len(stops) < 20, stops
    assert stops[:2] == ["chapter", "framework"]
    assert stops[-4:-1] == ["Show all", "open-all", "close-all"]
    press.send_keys(Keys.ENTER).perform()
    assert browser.run("return document.getElementById('KEY-5').open")


@ALL
def test_a_screen_reader_meets_landmarks_headings_and_names(browser, pages, name):
    browser.open(pages[name])
    tree = browser.tree()
    roles = [role for role, _, _ in tree]
    assert {"banner", "main", "contentinfo"} <= set(roles)
    unnamed = [(role, said) for role, said, _ in tree if role in NAMED and not said]
    assert unnamed == []
    levels = [level for role, _, level in tree if role == "heading"]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels)), levels
    assert browser.run("return document.documentElement.lang") == "en"
    twice = "const i = [...document.querySelectorAll('[id]')].map(e => e.id);"
    assert browser.run(f"{twice} return i.filter((e, n) => i.indexOf(e) !== n)") == []
    heads = (
        "return [...document.querySelectorAll('th')].filter(e => !e.scope).map(e => e.textContent)"
    )
    assert browser.run(heads) == []


def test_what_a_filter_does_is_said_aloud(browser, pages):
    browser.open(pages["report"])
    tree = browser.tree()
    assert {"navigation", "search", "status"} <= {role for role, _, _ in tree}
    assert ("searchbox", "Search", None) in tree
    assert ("combobox", "Framework", None) in tree


@ALL
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(browser, pages, name, scheme):
    browser.open(pages[name], scheme=scheme)
    browser.run("document.querySelectorAll('details').forEach(e => e.open = true)")
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) is (scheme == "dark")
    assert browser.run(CONTRAST) == []


@ALL
@pytest.mark.parametrize("width", [320, 390, 820])
def test_nothing_is_wider_than_a_phone(browser, pages, name, width):
    browser.open(pages[name], width=width)
    browser.run("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert browser.run("return document.documentElement.scrollWidth") <= width


def test_paper_has_what_is_closed_on_the_screen_and_nothing_to_click(browser, pages):
    browser.open(pages["report"], width=794, media="print")
    height = "return document.querySelector('{}').getBoundingClientRect().height"
    assert browser.run("return document.getElementById('KEY-5').open") is False
    assert browser.run(height.format("#KEY-5 .claim")) > 0
    for unwanted in ("nav", "#filter", "#shown"):
        assert browser.run(height.format(unwanted)) == 0, unwanted
    find_hidden = "document.getElementById('words').value = 'key-5';"
    browser.run(
        f"{find_hidden} document.getElementById('filter').dispatchEvent(new Event('input'))"
    )
    assert browser.run(height.format("#shown")) > 0, "paper of a filtered page must say so"
