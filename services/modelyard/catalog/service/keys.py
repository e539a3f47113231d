"""Where things lie in the store's one bucket; nothing is shared between projects.

projects/{project uid}/packs/{upload}-{number}
projects/{project uid}/trees/{sha256 of the manifest}/manifest
"""


def pack_key(project_uid: str, pack: str) -> str:
    return f"projects/{project_uid}/packs/{pack}"


def manifest_key(project_uid: str, sha256: str) -> str:
    return f"projects/{project_uid}/trees/{sha256}/manifest"
