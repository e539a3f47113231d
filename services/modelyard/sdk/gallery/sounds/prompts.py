"""What telephone exchanges say, in five languages."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from modelyard.sdk.gallery.packages import Deb
from modelyard.sdk.gallery.sets import Set, Steps
from modelyard.sdk.gallery.splits import split_of

_SOUNDS = "usr/share/asterisk/sounds"
_VOICES = {
    "english": "en_US_f_Allison",
    "spanish": "es_MX_f_Allison",
    "french": "fr_CA_f_June",
    "italian": "it_IT_m_Carlo",
    "russian": "ru_RU_f_IvrvoiceRU",
}
_SILENCE = "silence"
_HEADER_BYTES = 44


def make(packages: Sequence[Path], folder: Path, steps: Steps) -> None:
    """`<split>/<language>/<prompt>.wav`; a prompt is on the same side of the split in every language.

    Silence, files without a sound, and tones that are the same in several languages are left out.
    """
    found: list[tuple[str, str, bytes]] = []
    for package, (language, voice) in zip(packages, _VOICES.items(), strict=True):
        place = package / _SOUNDS / voice
        for path in sorted(place.rglob("*.wav")):
            parts = path.relative_to(place).parts
            if parts[0] != _SILENCE and path.stat().st_size > _HEADER_BYTES:
                found.append((language, "-".join(parts), path.read_bytes()))
    copies = Counter(hashlib.sha256(content).digest() for *_, content in found)
    for number, (language, prompt, content) in enumerate(found):
        steps(number, len(found))
        if copies[hashlib.sha256(content).digest()] == 1:
            kept = folder / split_of(prompt) / language / prompt
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(content)


def _deb(language: str, digest: str, size: int) -> Deb:
    return Deb(f"asterisk-core-sounds-{language}-wav", "1.6.1-1", digest, size)


PROMPTS = Set(
    name="prompts",
    modality="audio",
    title="2,780 prompts of telephone exchanges in five languages, 8 kHz; two voices are one speaker's",
    licence="CC BY-SA 3.0; the Russian ones CC BY 3.0",
    origin="Asterisk's core sounds: Allison Smith, June Wallack, Carlo Flora, Maxim Topal",
    packages=(
        _deb("en", "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d", 18_272_864),
        _deb("es", "9283a09a6d56fccdcc2bcfe86c48f0f844289cfbd46a3184d8785a6f7f569903", 23_767_256),
        _deb("fr", "8d4e1bc32ed5ba7fbda40841ca1825ed20cc6232724a473c90f8bb0e53e6073e", 18_516_060),
        _deb("it", "5a26638089e134b8ac39363fe249c5c93c50cd8bfdc9b2499ae61ec4a35e2fcb", 18_262_124),
        _deb("ru", "ccbfaebfa450b7a9ddf644ae0f3d1e9017d5df7c0aebe816e946345589d38201", 18_788_860),
    ),
    digest="d060cc55ce4d608c50c99d8e1c018dd7af38aa0c7dcfbf91251367fd620dc9c4",
    size=121_508_976,
    make=make,
)
