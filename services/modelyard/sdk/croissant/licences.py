"""Licences by their names in the SPDX License List, https://spdx.org/licenses/: those that data and code often have."""

_FREE = """
0BSD AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-2.0 Artistic-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0 ECL-2.0 EPL-2.0
EUPL-1.2 GFDL-1.3-only GFDL-1.3-or-later GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later ISC LGPL-2.1-only
LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later MIT MPL-2.0 MS-PL NCSA OFL-1.1 OSL-3.0 PostgreSQL Unlicense WTFPL Zlib
"""
_OF_DATA = """
C-UDA-1.0 CC-BY-3.0 CC-BY-4.0 CC-BY-NC-3.0 CC-BY-NC-4.0 CC-BY-NC-ND-3.0 CC-BY-NC-ND-4.0 CC-BY-NC-SA-3.0
CC-BY-NC-SA-4.0 CC-BY-ND-3.0 CC-BY-ND-4.0 CC-BY-SA-3.0 CC-BY-SA-4.0 CC-PDDC CC0-1.0 CDLA-Permissive-1.0
CDLA-Permissive-2.0 CDLA-Sharing-1.0 DL-DE-BY-2.0 DL-DE-ZERO-2.0 etalab-2.0 NLOD-2.0 O-UDA-1.0 ODbL-1.0 ODC-By-1.0
OGL-Canada-2.0 OGL-UK-3.0 PDDL-1.0
"""
_KNOWN = {name.lower(): name for name in f"{_FREE}{_OF_DATA}".split()}


def address(licence: str) -> str:
    """The page of a licence that is called by its SPDX name, in capitals or not; "" for any other word."""
    name = _KNOWN.get(licence.lower(), "")
    return f"https://spdx.org/licenses/{name}.html" if name else ""
