"""Licence statements as publishers word them, with the code a careful reader would settle on."""

from __future__ import annotations

from dataclasses import dataclass

BASE = "creativecommons.org/licenses"
ALI = 'xmlns:ali="http://www.niso.org/schemas/ali/1.0/"'


@dataclass(frozen=True)
class Licence:
    """A way to state a licence; `{year}` and `{holder}` stand in `xml`."""

    name: str
    code: str | None
    xml: str
    conflict: bool = False


def _permissions(inside: str, statement: str = "© {year} {holder}.") -> str:
    return f"<permissions><copyright-statement>{statement}</copyright-statement><copyright-year>{{year}}</copyright-year><copyright-holder>{{holder}}</copyright-holder>{inside}</permissions>"


def _by_href(path: str, words: str) -> str:
    url = f"http://{BASE}/{path}/"
    link = f'<ext-link ext-link-type="uri" xlink:href="{url}">{words}</ext-link>'
    return _permissions(
        f'<license license-type="open-access" xlink:href="{url}"><license-p>This is an open access article distributed under the terms of the {link}, '
        "which permits use as long as the original author and source are credited.</license-p></license>"
    )


def _by_ali(path: str, content: str, words: str) -> str:
    url = f"https://{BASE}/{path}/"
    reference = f'<ali:license_ref {ALI} specific-use="textmining" content-type="{content}">{url}</ali:license_ref>'
    return _permissions(
        f'<license>{reference}<license-p>{words} (<ext-link ext-link-type="uri" xlink:href="{url}">{url}</ext-link>).</license-p></license>'
    )


def _by_text(words: str) -> str:
    return _permissions(f'<license license-type="open-access"><license-p>{words}</license-p></license>')


OPEN = "This is an open access article under the"
LICENCES: tuple[Licence, ...] = (
    Licence("by-href", "CC BY", _by_href("by/4.0", "Creative Commons Attribution License")),
    Licence("by-ali", "CC BY", _by_ali("by/4.0", "ccbylicense", f"{OPEN} CC BY license")),
    Licence(
        "by-text",
        "CC BY",
        _by_text(
            "This is an open-access article distributed under the terms of the Creative Commons Attribution License, which permits unrestricted use, distribution, and reproduction in any medium, provided the original author and source are credited."
        ),
    ),
    Licence(
        "by-waiver",
        "CC BY",
        _by_href("by/2.0", "Creative Commons Attribution License").replace(
            "are credited.",
            'are credited. The Creative Commons Public Domain Dedication waiver (<ext-link ext-link-type="uri" xlink:href="http://creativecommons.org/publicdomain/zero/1.0/">http://creativecommons.org/publicdomain/zero/1.0/</ext-link>) applies to the data made available in this article.',
        ),
    ),
    Licence(
        "cc0",
        "CC0",
        _permissions(
            '<license xlink:href="http://creativecommons.org/publicdomain/zero/1.0/"><license-p>This is an open-access article, free of all copyright, and may be freely reproduced, distributed, transmitted, modified, built upon, or otherwise used by anyone for any lawful purpose. The work is made available under the <ext-link ext-link-type="uri" xlink:href="http://creativecommons.org/publicdomain/zero/1.0/">Creative Commons CC0</ext-link> public domain dedication.</license-p></license>'
        ),
    ),
    Licence(
        "cc0-ali",
        "CC0",
        _permissions(
            f'<license><ali:license_ref {ALI} specific-use="textmining" content-type="cc0license">https://creativecommons.org/publicdomain/zero/1.0/</ali:license_ref><license-p>This work is released under CC0.</license-p></license>'
        ),
    ),
    Licence("by-sa", "CC BY-SA", _by_href("by-sa/4.0", "Creative Commons Attribution-ShareAlike License")),
    Licence("by-nd", "CC BY-ND", _by_href("by-nd/4.0", "Creative Commons Attribution-NoDerivatives License")),
    Licence("by-nc", "CC BY-NC", _by_ali("by-nc/4.0", "ccbynclicense", f"{OPEN} CC BY-NC license")),
    Licence(
        "by-nc-text",
        "CC BY-NC",
        _by_text(
            "This is an Open Access article distributed under the terms of the Creative Commons Attribution Non-Commercial License, which permits non-commercial use, provided the original work is properly cited."
        ),
    ),
    Licence(
        "by-nc-sa",
        "CC BY-NC-SA",
        _by_href("by-nc-sa/3.0", "Creative Commons Attribution-NonCommercial-ShareAlike License"),
    ),
    Licence("by-nc-nd", "CC BY-NC-ND", _by_ali("by-nc-nd/4.0", "ccbyncndlicense", f"{OPEN} CC BY-NC-ND license")),
    Licence(
        "by-nc-nd-href",
        "CC BY-NC-ND",
        _by_href("by-nc-nd/4.0", "Creative Commons Attribution-NonCommercial-NoDerivs License"),
    ),
    Licence("by-statement", "CC BY", _permissions("", "© {year} {holder}. Published under CC BY 4.0.")),
    Licence(
        "tdm",
        "TDM",
        _permissions(
            f'<license><ali:license_ref {ALI} specific-use="textmining" content-type="tdmlicense">https://www.elsevier.com/tdm/userlicense/1.0/</ali:license_ref><license-p>Available for text and data mining.</license-p></license>'
        ),
    ),
    Licence("none-reserved", None, _permissions("", "Copyright © {year} {holder}. All rights reserved.")),
    Licence(
        "none-use",
        None,
        _by_text("This article may be used for non-commercial use only, with the permission of the publisher."),
    ),
    Licence(
        "none-pmc",
        None,
        _by_text(
            "This file is available for unrestricted research re-use and secondary analysis with acknowledgement of the original source."
        ),
    ),
    Licence(
        "conflict-text",
        "CC BY-NC",
        _by_href("by/4.0", "Creative Commons Attribution Non-Commercial License"),
        conflict=True,
    ),
    Licence(
        "conflict-ali",
        "CC BY-NC-ND",
        _by_ali("by-nc-nd/4.0", "ccbyncndlicense", "Distributed under a CC BY license").replace(
            f'xlink:href="https://{BASE}/by-nc-nd/4.0/">https://{BASE}/by-nc-nd/4.0/</ext',
            f'xlink:href="https://{BASE}/by/4.0/">https://{BASE}/by/4.0/</ext',
        ),
        conflict=True,
    ),
)

WEIGHTS = (14, 16, 10, 5, 4, 3, 5, 4, 8, 5, 5, 8, 4, 2, 3, 3, 2, 2, 2, 2)
"""How often each is drawn beyond the first round, in which every one comes once."""
