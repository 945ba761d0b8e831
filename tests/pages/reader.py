"""What a page is made of, as text."""

from html.parser import HTMLParser


class Reader(HTMLParser):
    """What a page is made of: its policy, inline styles and scripts, attributes."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.policy, self.inline, self.attributes, self.tags = "", [], [], []
        self.open = None
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        attributes = dict(attributes)
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"]
        if tag in ("style", "script") and "type" not in attributes:
            self.open = tag
            self.inline.append((tag, ""))

    def handle_data(self, data):
        if self.open:
            tag, text = self.inline[-1]
            self.inline[-1] = (tag, text + data)

    def handle_endtag(self, tag):
        if tag == self.open:
            self.open = None
