"""Elements of HTML and SVG as text, escaped by construction."""

from __future__ import annotations

import html
import re


def escaped(text: str) -> str:
    """Text that a file or a person gave, safe between tags and in attributes.

    XML has no control characters, not even as references.
    """
    return html.escape(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", "\ufffd", text), quote=True)


def element(tag: str, *content: str, **attributes: str | float) -> str:
    """`<tag attribute="value">content</tag>`; content is markup, attributes are escaped here.

    >>> element("rect", x=1.25, text_anchor="end", class_="bar")
    '<rect x="1.2" text-anchor="end" class="bar"></rect>'
    """
    pairs = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for name, value in attributes.items()
    )
    return f"<{tag}{pairs}>{''.join(content)}</{tag}>"


def _value(value: str | float) -> str:
    return escaped(value) if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
