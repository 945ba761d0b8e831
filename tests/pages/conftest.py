"""Pages in a browser that may ask for nothing and complain of nothing."""

import pytest


def settle(tab):
    """Wait until what was changed has been painted."""
    tab.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


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
