"""The page of the ops listener in a real browser (Chromium, headless): what an operator sees of it, on a
desk and on a phone, by day and by night. GATEPOST_SCREENSHOTS names a directory for pictures of it.
"""
import base64
import http.client
import itertools
import os
import pathlib
import socket

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

import gate as gates

pytestmark = pytest.mark.timeout(300)

HOSTILE = ['<script>document.title="owned"</script>', '"><img src=x onerror=document.title="owned">',
           "javascript:alert(1)//'\"`${7*7}"]


class OpsGate(gates.Gate):
    LISTENERS = {**gates.Gate.LISTENERS, "ops": ("ops", "none", True)}


def pop3(g, user, secret, address="127.0.0.1"):
    with socket.create_connection(("127.0.0.1", g.ports["pop3"]), gates.DEADLINE, source_address=(address, 0)) as s:
        file = s.makefile("rb")
        file.readline()
        s.sendall(f"USER {user}\r\nPASS {secret}\r\nQUIT\r\n".encode())
        file.readline()
        return file.readline()


def mapi(g, user, secret):
    connection = http.client.HTTPConnection("127.0.0.1", g.mapi, timeout=gates.DEADLINE)
    credentials = base64.b64encode(f"{user}:{secret}".encode()).decode()
    connection.request("POST", "/mapi/emsmdb/", headers={"Authorization": f"Basic {credentials}", "Content-Length": "0"})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    """A POP3 client is refused whom MAPI lets in; somebody guesses from elsewhere; names are hostile."""
    g = OpsGate(tmp_path_factory.mktemp("page"))
    g.config.write_text(g.config.read_text().replace('"127.0.0.0/8"', '"127.0.0.1"'))
    g.add_user("alice", "secret", "pop3=off", "nt-domain=CORP")
    g.add_user("bob", "secret")
    with g:
        assert pop3(g, "CORP\\alice", "secret").startswith(b"-ERR")
        assert mapi(g, "CORP\\alice", "secret") == 200
        g.imap("bob", "secret").logout()
        for i in range(25):
            pop3(g, "root<b>", f"{i}", f"127.0.1.{i + 1}")
        for name in HOSTILE:
            pop3(g, name, "x")
        yield g


@pytest.fixture(scope="module")
def browser(gate):
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    driver.get(f"http://127.0.0.1:{gate.ops}/")
    yield driver
    driver.quit()


def text(browser, selector):
    return browser.execute_script(
        "return [...document.querySelectorAll(arguments[0])].map(e => e.textContent).join('\\n')", selector)


def wait_for(browser, selector, *words):
    gates.until(lambda: all(word in text(browser, selector) for word in words), f"{words} in {selector}")


def test_who_is_refused_by_pop3_and_let_in_by_mapi_is_shown_in_red_with_the_reason(browser):
    wait_for(browser, "#users", "alice")
    assert "No. 1 user is refused by one protocol and let in by another." in text(browser, "#agreement")
    (user,) = browser.find_elements(By.CSS_SELECTOR, "#users > li")
    refused = user.find_element(By.CSS_SELECTOR, "li.out")
    assert "POP3 refuses" in refused.text and "policy: protocol-off, event 11312" in refused.text
    assert "MAPI lets in" in user.find_element(By.CSS_SELECTOR, "li.in").text
    assert "gatepost auth explain alice" in user.text
    red, _, _ = channels(refused.value_of_css_property("color"))
    assert red > 180
    assert "bob" not in text(browser, "#users")


def channels(color):
    return [float(c) for c in color[color.index("(") + 1:-1].split(",")][:3]


def test_attempts_and_failures_are_drawn_by_protocol_and_counted_by_reason(browser):
    wait_for(browser, "#charts", "imap", "mapi", "pop3")
    for window in ("hour", "week", "day"):
        browser.find_element(By.CSS_SELECTOR, f"[data-window={window}]").click()
        charts = browser.execute_script("""
            return Object.fromEntries([...document.querySelectorAll('.chart')].map(c => [c.dataset.protocol, {
                text: c.textContent, refused: [...c.querySelectorAll('svg rect.out')].filter(r => r.height.baseVal.value).length}]))""")
        assert set(charts) == {"pop3", "imap", "mapi"}
        assert "1 let in" in charts["imap"]["text"] and "0 refused" in charts["imap"]["text"]
        assert charts["imap"]["refused"] == 0 and charts["pop3"]["refused"] >= 1
        assert "0 let in" in charts["pop3"]["text"]
    assert "identity / unknown-user" in text(browser, "#reasons")
    assert "policy / protocol-off" in text(browser, "#reasons") and "event 11312" in text(browser, "#reasons")


def test_who_must_wait_is_shown_with_what_lifts_it(gate, browser):
    def is_shown():
        pop3(gate, f"guess{next(serial)}", "123456", "127.0.0.7")
        browser.execute_script("document.dispatchEvent(new Event('visibilitychange'))")  # asks now
        return "127.0.0.7" in text(browser, "#throttled")
    serial = itertools.count()
    gates.until(is_shown, "the address on the page")
    assert "gatepost auth lift --address 127.0.0.7" in text(browser, "#throttled")
    assert "root<b>" in text(browser, "#throttled") and "under attack" in text(browser, "#throttled")
    assert "lift --user root" not in text(browser, "#throttled")  # no command of what a shell could mistake


def test_records_appear_as_they_come_and_only_the_refused_where_that_is_asked(gate, browser):
    wait_for(browser, "#stream", "newest first")
    gate.imap("bob", "secret").logout()
    pop3(gate, "late-comer", "x")
    wait_for(browser, "#tail", "late-comer", "identity: unknown-user")
    let_in = browser.find_element(By.CSS_SELECTOR, "#tail li.in")
    assert let_in.is_displayed() and "bob" in let_in.text
    browser.find_element(By.ID, "only").click()
    assert not let_in.is_displayed()
    browser.find_element(By.ID, "only").click()
    assert let_in.is_displayed()


def test_hostile_names_are_text_and_nothing_else(browser):
    wait_for(browser, "#tail", *HOSTILE)
    assert browser.execute_script("return document.querySelectorAll('script').length") == 1
    assert browser.execute_script("return document.querySelectorAll('main img').length") == 0
    assert browser.title.startswith("Gatepost on ")


def set_screen(browser, width, height, scheme):
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia",
                            {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
    size = "return [document.documentElement.clientWidth, document.documentElement.scrollWidth]"
    gates.until(lambda: browser.execute_script(size)[0] == width, "the screen")
    return browser.execute_script(size)[1]


@pytest.mark.parametrize("device, width, height", [("desk", 1280, 800), ("phone", 360, 740)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_on_any_screen(browser, device, width, height, scheme):
    wait_for(browser, "#users", "alice")
    browser.execute_script("scrollTo(0, 0)")
    assert set_screen(browser, width, height, scheme) == width, "it must not be pushed sideways"
    paper, ink = (sum(channels(browser.find_element(By.TAG_NAME, "body").value_of_css_property(p)))
                  for p in ("background-color", "color"))
    assert (paper > ink + 400) if scheme == "light" else (ink > paper + 400)
    outside = browser.execute_script("""
        const inside = e => e.closest('.scroll, #tail') !== null;
        return [...document.querySelectorAll('main *')].filter(e => !inside(e) &&
            e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))""")
    assert outside == []
    if directory := os.environ.get("GATEPOST_SCREENSHOTS"):
        full = browser.execute_script("return document.documentElement.scrollHeight")
        set_screen(browser, width, full, scheme)
        browser.save_screenshot(str(pathlib.Path(directory) / f"{device}-{scheme}.png"))


def test_nothing_was_loaded_from_elsewhere_and_nothing_went_wrong(gate, browser):
    here = f"http://127.0.0.1:{gate.ops}/"
    loaded = browser.execute_script("return performance.getEntriesByType('resource').map(r => r.name)")
    assert loaded and all(url.startswith(here) for url in loaded), loaded
    assert browser.get_log("browser") == []


def test_a_server_that_went_away_is_noticed_and_found_again(gate, browser):
    gate.stop()
    wait_for(browser, "#state", "No answer")
    gate.start()
    wait_for(browser, "#state", "Ready")
    pop3(gate, "after-restart", "x")
    wait_for(browser, "#tail", "after-restart")
