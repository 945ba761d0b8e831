"""A browser, and pages in it that may ask for nothing and complain of nothing."""

import pytest

ARGUMENTS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


def settle(tab):
    """Wait until what was changed has been painted."""
    tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.fixture(scope="session")
def browser(playwright, chromium):
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Opens a page as a file. After the test it must have asked for nothing but itself, and complained of nothing."""
    opened, noted = [], []

    def open_page(page, width=1280, height=760, **options):
        tab = browser.new_page(viewport={"width": width, "height": height}, **options)
        opened.append(tab)
        tab.set_default_timeout(5000)
        text = page if isinstance(page, str) else page.html
        file = tmp_path / f"{len(opened)}.html"
        file.write_text(text, encoding="utf-8")
        tab.on("request", lambda request: noted.append(request.url))
        tab.on("console", lambda message: noted.append(message.text))
        tab.on("pageerror", lambda error: noted.append(str(error)))
        tab.on("dialog", lambda dialog: (noted.append(dialog.message), dialog.dismiss()))
        tab.goto(file.as_uri())
        assert noted.pop(0) == file.as_uri()
        tab.noted = noted
        if options.get("java_script_enabled", True) and tab.locator("#packed").count():
            tab.wait_for_selector(".sg-frame, .sg-still:visible")
            settle(tab)
        return tab

    yield open_page
    for tab in opened:
        tab.close()
    assert noted == []
