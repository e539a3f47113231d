"""Run it with `pytest`: the whole package on a few made-up pictures, in seconds, without any service."""

from pathlib import Path

from modelyard.job.trial import try_package


def test_it_trains_and_leaves_a_model(tmp_path: Path) -> None:
    trial = try_package(Path(__file__).parent, tmp_path, epochs=3, batch_size=16, lr=0.003)
    assert trial.status == 0, trial.printed
    assert trial.metrics["val_accuracy"] > 0.5
    assert (trial.model / "saved_model.pb").is_file()
