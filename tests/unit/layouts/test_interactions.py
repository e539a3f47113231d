import pytest

from modelyard.layouts import LayoutUnknown
from tests.support.trees import described, detected, whole

INTERACTIONS = "userId,movieId,rating,timestamp\n" + "".join(
    f"{at % 7},{at % 5},{at % 9 / 2},{1260759144 + at}\n" for at in range(90)
)
MOVIES = "movieId,title,genres\n" + "".join(f'{at},"Film, the {at}th",Drama|Comedy\n' for at in range(50))


def test_users_and_items_make_interactions() -> None:
    files: dict[str, str | bytes] = {
        "ratings.csv": INTERACTIONS + "1,2,five,1260759144\n,3,4,1260759144\n",
        "movies.csv": MOVIES,
        "links.csv": "movieId,imdbId,tmdbId\n1,2,3\n",
        "tags.csv": "userId,movieId,tag,timestamp\n1,2,fun,1260759144\n",
    }
    description, rows, problems = whole(files)
    assert description.modality == "interactions"
    assert {each.name: each.role for each in description.features} == {
        "user_id": "user",
        "movie_id": "item",
        "rating": "rating",
        "timestamp": "time",
    }
    assert problems == [
        "ratings.csv:92: has 'five' in column 'rating', which is no number",
        "ratings.csv:93: has no value in column 'userId'",
    ]
    assert description.items is not None
    assert (description.items.file, description.items.key) == ("movies.csv", "movieId")
    assert rows["items"].columns["title"][3] == b"Film, the 3th"
    assert rows["items"].columns["movie_id"][3] == b"3"
    assert rows["train"].columns["user_id"][0] == b"0"


def test_interactions_that_are_asked_for_need_users_and_items() -> None:
    with pytest.raises(LayoutUnknown, match="interactions have a column of users and one of items"):
        detected({"a.csv": "age,job\n20,clerk\n30,boss\n"}, layout="interactions")
    assert described({"a.csv": INTERACTIONS}, layout="table").modality == "table"
