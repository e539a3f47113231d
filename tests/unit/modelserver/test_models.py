from pathlib import Path

import pytest

from modelyard.modelserver.errors import CannotServe, LabelNotAssignable, ModelNotLoaded, ServableNotFound
from modelyard.modelserver.models import LoadPolicy, Models, State, Wanted
from modelyard.modelserver.servable import Servable
from modelyard.modelserver.versions import All, ModelTarget, Specific


class Loads:
    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.failures: dict[int, list[Exception]] = {}
        self.gone: list[int] = []

    def load(self, name: str, version: int, folder: Path) -> Servable:
        self.calls.append((name, version))
        if self.failures.get(version):
            raise self.failures[version].pop()
        return Servable(name, version, {}, b"")

    async def warm(self, servable: Servable) -> None:
        """Nothing to warm."""

    def unloaded(self, servable: Servable) -> None:
        self.gone.append(servable.version)


def base(folder: Path, *versions: int) -> str:
    for version in versions:
        (folder / str(version)).mkdir(parents=True)
    return str(folder)


def models(loads: Loads, **policy: object) -> Models:
    return Models(loads.load, loads.warm, loads.unloaded, LoadPolicy(retry_interval_s=0, **policy))  # type: ignore[arg-type]


async def test_the_latest_version_answers(tmp_path: Path) -> None:
    loads = Loads()
    served = models(loads)
    await served.start([ModelTarget("m", base(tmp_path, 1, 3))])
    assert (loads.calls, served.ready) == ([("m", 3)], True)
    assert served.resolve(Wanted("m")).version == 3
    with pytest.raises(ServableNotFound, match=r"Specific\(m, 1\)"):
        served.resolve(Wanted("m", 1))


async def test_a_load_that_fails_is_tried_so_often_and_not_again(tmp_path: Path) -> None:
    loads = Loads()
    loads.failures[1] = [OSError("disk")] * 9
    served = models(loads, retries=2)
    with pytest.raises(CannotServe, match="version 1 cannot be served: OSError: disk"):
        await served.start([ModelTarget("m", base(tmp_path, 1))])
    assert loads.calls == [("m", 1)] * 3


async def test_a_folder_that_is_no_model_is_tried_once(tmp_path: Path) -> None:
    loads = Loads()
    loads.failures[1] = [CannotServe("not a SavedModel")]
    with pytest.raises(CannotServe, match="not a SavedModel"):
        await models(loads, retries=5).start([ModelTarget("m", base(tmp_path, 1))])
    assert loads.calls == [("m", 1)]


async def test_a_reload_is_the_whole_configuration(tmp_path: Path) -> None:
    loads = Loads()
    served = models(loads)
    await served.start([ModelTarget("a", base(tmp_path / "a", 1)), ModelTarget("b", base(tmp_path / "b", 5))])
    await served.reload(
        [ModelTarget("b", base(tmp_path / "c", 5, 6), All(), {"stable": 5}), ModelTarget("c", base(tmp_path / "d", 9))]
    )
    assert served.resolve(Wanted("b")).version == 6
    assert served.resolve(Wanted("b", label="stable")).version == 5
    assert served.resolve(Wanted("c")).version == 9
    with pytest.raises(ServableNotFound):
        served.resolve(Wanted("a"))
    assert [status.state for status in served.status(Wanted("a"))] == [State.END]
    assert loads.gone == [1]


async def test_a_reload_to_what_cannot_be_served_says_so_and_keeps_what_answers(tmp_path: Path) -> None:
    loads = Loads()
    served = models(loads)
    folder = base(tmp_path / "a", 1)
    await served.start([ModelTarget("a", folder)])
    with pytest.raises(ModelNotLoaded, match="does not exist"):
        await served.reload([ModelTarget("a", folder), ModelTarget("b", "/nowhere")])
    assert served.resolve(Wanted("a")).version == 1


async def test_a_label_needs_a_version_that_answers(tmp_path: Path) -> None:
    served = models(Loads())
    folder = base(tmp_path, 1, 2)
    await served.start([ModelTarget("a", folder)])
    with pytest.raises(LabelNotAssignable, match="label canary to version 1"):
        await served.reload([ModelTarget("a", folder, labels={"canary": 1})])


async def test_a_version_comes_back_after_the_policy_let_it_go(tmp_path: Path) -> None:
    loads = Loads()
    served = models(loads)
    folder = base(tmp_path, 1, 2)
    await served.start([ModelTarget("a", folder)])
    await served.reload([ModelTarget("a", folder, Specific((1,)))])
    assert [(status.version, status.state) for status in served.status(Wanted("a"))] == [
        (2, State.END),
        (1, State.AVAILABLE),
    ]
    await served.reload([ModelTarget("a", folder)])
    assert served.resolve(Wanted("a")).version == 2
    assert loads.gone == [2, 1]
