"""A dataset version as Croissant 1.0, JSON-LD that describes data sets for machine learning.

The format: MLCommons, "Croissant Format Specification", version 1.0, http://mlcommons.org/croissant/1.0. Files are
named by their paths in the version, relative to the folder that `modelyard datasets pull` writes.
"""

from modelyard.sdk.croissant.dialect import HEAD_BYTES
from modelyard.sdk.croissant.document import describe

__all__ = ["HEAD_BYTES", "describe"]
