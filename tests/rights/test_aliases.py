"""Is a licence known by the names that people write, and by no name that only resembles it?"""

import tomllib

import pytest

from picdeed.core.resources import bundled
from picdeed.rights.expression import parse_license, spelling

CC = "https://creativecommons.org"
EXACT = {
    # short names
    "CC BY 4.0": "CC-BY-4.0",
    "cc by 4.0": "CC-BY-4.0",
    "CC-BY 3.0": "CC-BY-3.0",
    "CC-BY-SA 3.0": "CC-BY-SA-3.0",
    "CC BY-SA 2.5": "CC-BY-SA-2.5",
    "CC BY NC ND 4.0": "CC-BY-NC-ND-4.0",
    "CC BY-NC-SA 1.0": "CC-BY-NC-SA-1.0",
    "CC0": "CC0-1.0",
    # titles
    "Creative Commons Attribution 4.0 International": "CC-BY-4.0",
    "Creative Commons  Attribution 4.0 International Public License": "CC-BY-4.0",
    "Creative Commons Attribution-ShareAlike 3.0 Unported License": "CC-BY-SA-3.0",
    "Creative Commons Attribution-Share Alike 3.0 Unported": "CC-BY-SA-3.0",
    "Creative Commons Attribution-NoDerivs 3.0 Unported": "CC-BY-ND-3.0",
    "Creative Commons Attribution-NonCommercial-NoDerivatives 4.0 International": "CC-BY-NC-ND-4.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    # Wikimedia and Flickr, with their versions
    "Attribution-ShareAlike 4.0 International (CC BY-SA 4.0)": "CC-BY-SA-4.0",
    "Attribution 2.0 Generic (CC BY 2.0)": "CC-BY-2.0",
    "Attribution-NonCommercial-NoDerivs 2.0 Generic (CC BY-NC-ND 2.0)": "CC-BY-NC-ND-2.0",
    "Public Domain Mark 1.0": "CC-PDM-1.0",
    # addresses
    f"{CC}/licenses/by/4.0/": "CC-BY-4.0",
    "http://creativecommons.org/licenses/by/1.0": "CC-BY-1.0",
    "https://www.creativecommons.org/licenses/by-sa/2.5/": "CC-BY-SA-2.5",
    f"{CC}/licenses/by-nc-nd/2.0/legalcode": "CC-BY-NC-ND-2.0",
    f"{CC}/licenses/by-nd-nc/1.0/": "CC-BY-NC-ND-1.0",  # the one address with its parts swapped
    f"{CC}/licenses/by-nc-sa/3.0/deed.en": "CC-BY-NC-SA-3.0",
    f"{CC}/licenses/by-nd/4.0/deed.zh-hant": "CC-BY-ND-4.0",
    f"{CC}/licenses/by/4.0/legalcode.txt": "CC-BY-4.0",
    f"{CC}/licenses/publicdomain/": "CC-PDDC",
    "http://web.resource.org/cc/PublicDomain": "CC-PDDC",
    f"{CC}/publicdomain/zero/1.0/deed.de": "CC0-1.0",
    f"{CC}/publicdomain/mark/1.0/": "CC-PDM-1.0",
    "https://spdx.org/licenses/CC-BY-SA-4.0.html": "CC-BY-SA-4.0",
    # tags of Hugging Face
    "cc0-1.0": "CC0-1.0",
    "cc-by-2.0": "CC-BY-2.0",
    "cc-by-nc-sa-3.0": "CC-BY-NC-SA-3.0",
    "apache-2.0": "Apache-2.0",
    "mit": "MIT",
    "bsd-3-clause": "BSD-3-Clause",
    "isc": "ISC",
    "odbl": "ODbL-1.0",
    "cdla-permissive-2.0": "CDLA-Permissive-2.0",
    "ofl-1.1": "OFL-1.1",
    "gpl-3.0": "GPL-3.0-only",
    "unlicense": "Unlicense",
    "creativeml-openrail-m": "LicenseRef-scancode-stable-diffusion-2022-08-22",
    # Debian's short names
    "Expat": "MIT",
    "CC-BY-SA-4": "CC-BY-SA-4.0",
    "GPL-2+": "GPL-2.0-or-later",
    "GPL-3": "GPL-3.0-only",
    "BSD-2-clause": "BSD-2-Clause",
    # sites
    "OGA-BY 3.0": "LicenseRef-picdeed-OGA-BY-3.0",
    "GPL 3.0": "GPL-3.0-only",
    "Unsplash License": "LicenseRef-scancode-unsplash",
    "https://unsplash.com/license": "LicenseRef-scancode-unsplash",
    "Pixabay License": "LicenseRef-scancode-pixabay-content",
    "Pexels License": "LicenseRef-picdeed-pexels",
    # in company
    "OGA-BY 3.0 or CC-BY-SA 3.0": "CC-BY-SA-3.0 OR LicenseRef-picdeed-OGA-BY-3.0",
    "OGA-BY-3.0 OR CC-BY-SA-3.0 OR GPL-3.0": "CC-BY-SA-3.0 OR GPL-3.0-only OR LicenseRef-picdeed-OGA-BY-3.0",
}  # fmt: skip
REFUSED = [
    "CC",
    "CC BY",
    "CC-BY",
    "cc-by",
    "cc-by-sa",
    "CC BY 5.0",
    "CC BY 4",
    "BY 4.0",
    "Creative Commons",
    "Creative Commons 4.0",
    "Creative Commons Attribution",
    "Attribution License",  # Flickr's own words, without a version
    "Attribution-ShareAlike License",
    "Attribution 4.0",  # of whom?
    "Creative Commons Attribution-NoDerivs 4.0 International",  # 4.0 is called NoDerivatives
    f"{CC}/licenses/",
    f"{CC}/licenses/by/",
    f"{CC}/licenses/by/3.0/de/",  # a port is another licence
    f"{CC}/licenses/by-nc-nd/1.0/",  # there is no such address
    f"{CC}/licenses/by/4.0/#ref-indicate",
    f"{CC}.example/licenses/by/4.0/",
    "GPL",
    "LGPL",
    "BSD",
    "Apache",
    "OGA-BY",
    "OGA-BY 4.0",
    "openrail",
    "openrail++",  # two dated texts go by this name
    "bigscience-openrail-m-v2",
    "public domain",
    "Public Domain",
    "PD",
    "Public Domain Mark",
    "no known copyright restrictions",
    "other",
    "unknown",
    "free",
    "free to use",
    "royalty free",
    "Royalty-Free",
    "all rights reserved",
    "© 2020 Jane Doe. All rights reserved.",
    "Getty",
    "Shutterstock",
    "standard licence",
    "proprietary",
    "Unsplash",
    "Pixabay",
    "https://pixabay.com/",
    "https://unsplash.com/photos/abc",
]


@pytest.mark.parametrize(("raw", "expression"), EXACT.items())
def test_a_known_name(catalogue, raw, expression):
    assert parse_license(raw, catalogue.aliases).expression == expression


@pytest.mark.parametrize("raw", REFUSED)
def test_a_guess(catalogue, raw):
    read = parse_license(raw, catalogue.aliases)
    assert read.expression is None
    assert read.why


def test_every_spelling_stands_once_and_leads_where_the_file_says(catalogue):
    path = bundled("configs") / "licenses/aliases.toml"
    seen = set()
    for license_id, texts in tomllib.loads(path.read_text("utf-8")).items():
        for text in texts:
            assert catalogue.aliases[spelling(text)] == license_id
            assert spelling(text) not in seen, text
            seen.add(spelling(text))


def test_a_name_of_several_versions_carries_one(catalogue):
    """Every alias of a family with versions holds a digit, or stands here by name."""
    alone = {"cc0", "cc-0", "odbl", "unlicense", "the unlicense", "creativeml-openrail-m"}
    alone |= {"http://web.resource.org/cc/publicdomain", "//web.resource.org/cc/publicdomain"}
    families = ("CC", "GPL", "OFL", "ODbL", "CDLA", "Apache", "OGA")
    for text, license_id in catalogue.aliases.items():
        family = license_id.removeprefix("LicenseRef-picdeed-")
        if not family.startswith(families) or license_id == "CC-PDDC":
            continue
        page = text.startswith(("//openfontlicense", "//scripts.sil.org", "//opengameart"))
        assert page or text in alone or any(char.isdigit() for char in text), text
