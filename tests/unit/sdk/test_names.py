import pytest

from modelyard.sdk.names import id_for, in_project, short, version_in_project


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("mnist", "projects/lab/datasets/mnist/versions/latest"),
        ("mnist@3", "projects/lab/datasets/mnist/versions/3"),
        ("mnist@stable", "projects/lab/datasets/mnist/versions/stable"),
        ("projects/p/datasets/d/versions/2", "projects/p/datasets/d/versions/2"),
        ("projects/p/datasets/d", "projects/p/datasets/d/versions/latest"),
        ("projects/p/datasets/d@7", "projects/p/datasets/d/versions/7"),
    ],
)
def test_versions_as_people_write_them(said: str, meant: str) -> None:
    assert version_in_project("lab", "datasets", said) == meant


def test_a_full_name_stays_and_a_short_one_gets_its_project() -> None:
    assert in_project("lab", "jobs", "j1") == "projects/lab/jobs/j1"
    assert in_project("lab", "jobs", "projects/p/jobs/j1") == "projects/p/jobs/j1"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("projects/p/models/m/versions/12", "m@12"),
        ("projects/p/jobs/j", "j"),
        ("workers/local", "local"),
        ("", ""),
    ],
)
def test_names_are_shown_short(name: str, said: str) -> None:
    assert short(name) == said


@pytest.mark.parametrize(
    ("path", "id_"),
    [
        ("./mypackage", "mypackage"),
        ("code/My Package/", "my-package"),
        ("train.py", "train"),
        ("2nd_try.py", "nd-try"),
        ("__", "package"),
        ("日本", "package"),
        ("x" * 80, "x" * 63),
        ("a" * 62 + "--b", "a" * 62),
    ],
)
def test_a_file_or_folder_has_a_name_that_can_be_an_id(path: str, id_: str) -> None:
    assert id_for(path) == id_
