"""The descriptions of Debian's packages in several languages, which are lists of the archive rather than packages."""

from dataclasses import dataclass
from pathlib import Path

from modelyard.sdk.gallery.packages.deb import check_apt, first_error, not_brought, own_lists, update
from modelyard.sdk.progress import Progress

_INDEX = "*_dists_bookworm_main_i18n_Translation-{language}"


@dataclass(frozen=True, slots=True)
class Translations:
    """Debian 12's `Translation-…` files of its main section, each checked by apt against the archive's signature.

    A point release of Debian moves them, so they have no pinned digest.
    """

    languages: tuple[str, ...]
    size: int
    client = "apt"

    @property
    def requirement(self) -> str:
        """`Translation-en, Translation-it of bookworm`."""
        return f"{', '.join(f'Translation-{language}' for language in self.languages)} of bookworm"

    def check(self) -> None:
        """Raise FailedPrecondition (CLIENT_MISSING) where there is no apt."""
        check_apt(self.requirement)

    def download(self, folder: Path, progress: Progress) -> Path:
        """A folder that holds one plain `Translation-<language>` a language."""
        options = {**own_lists(folder), "Acquire::Languages": ",".join(self.languages)}
        ran = update(folder, options, progress, self.size)
        files = folder / "files"
        files.mkdir()
        for language in self.languages:
            found = list((folder / "lists").glob(_INDEX.format(language=language)))
            if not found:
                ran.check_room()  # apt may call it a success, as where only some of the lists are brought
                why = f"the archive that this machine uses has no Translation-{language}"
                why = why if ran.ok else first_error(ran)
                raise not_brought(self.requirement, [ran], why, "It needs Debian 12")
            found[0].replace(files / f"Translation-{language}")
        return files
