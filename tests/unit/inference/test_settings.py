from pathlib import Path

import pytest

from modelyard.inference.settings import InferenceSettings
from modelyard.modelhost.settings import ModelHostSettings

CONFIG = Path(__file__).parents[3] / "deploy" / "config"


def test_the_example_settings_are_right() -> None:
    inference = InferenceSettings.load("inference", ["--config", str(CONFIG / "inference.toml")], {})
    assert inference.server.listen.endswith(":8473")
    host = ModelHostSettings.load("modelhost", ["--config", str(CONFIG / "modelhost.toml")], {})
    assert host.model_server == "auto"


def test_a_setting_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        InferenceSettings.load("inference", ["--config", str(CONFIG / "inference.toml"), "--colour", "red"], {})
    assert "there is no setting colour" in capsys.readouterr().err
