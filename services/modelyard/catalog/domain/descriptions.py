"""A dataset's own description, the file `modelyard.dataset.json` of its tree, as somebody has pushed it."""

from modelyard.catalog.domain.errors import DescriptionWrong
from modelyard.foundation.errors import ModelyardError
from modelyard.layouts.description import DESCRIPTION_FILE, Description
from modelyard.layouts.errors import DescriptionWrong as PartWrong
from modelyard.layouts.parsing import parse_description

PATH = DESCRIPTION_FILE


def read_description(data: bytes, version: str) -> Description:
    """Parse and check; DescriptionWrong says which part of which version is wrong."""
    try:
        return parse_description(data)
    except PartWrong as error:
        raise wrong(version, error.message) from None


def wrong(version: str, problem: str) -> ModelyardError:
    return DescriptionWrong(
        f"{PATH} of {version} is wrong: {problem}. Push the dataset again with a correct one", resource=version
    )
