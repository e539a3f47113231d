"""What was found in a dataset version, or why that is not known."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelyard.api.catalog.v1 import dataset_pb2, statistics_pb2
from modelyard.cli.output import console, plain, show_table
from modelyard.cli.places import save
from modelyard.cli.watch import watch_job
from modelyard.sdk import Client
from modelyard.sdk.errors import NotFound
from modelyard.sdk.names import short

PENDING, NOT_AVAILABLE = "STATISTICS_PENDING", "STATISTICS_NOT_AVAILABLE"
ASK_EVERY_S = 0.5
SAY_AFTER_S = 2.0
PATIENCE_S = 300.0
"""How long a job is waited for that has not been made: the scheduler makes it within seconds, unless many wait before
it, or never, where it has found a reason not to."""
_TOP = 4
_LISTED = 10
_ONE = {"characters": "character", "words": "word", "seconds": "second", "frames": "frame", "boxes": "box"}


@dataclass(frozen=True, slots=True)
class Profile:
    """The statistics, or why there are none."""

    statistics: statistics_pb2.Statistics | None
    missing: NotFound | None = None


def find_profile(client: Client, version: str, *, wait: bool, quiet: bool) -> Profile:
    """With `wait`, the profile job is followed to its end; one that has not been made is waited for PATIENCE_S."""
    idle_s, said = 0.0, False
    while True:
        try:
            return Profile(client.datasets.statistics(version))
        except NotFound as error:
            if error.reason not in (PENDING, NOT_AVAILABLE):
                raise
            if not wait or error.reason == NOT_AVAILABLE or idle_s >= PATIENCE_S:
                return Profile(None, error)
            if idle_s >= SAY_AFTER_S and not said:
                print(f"{error.message}; waiting for it", file=sys.stderr)
                said = True
            idle_s += _wait(client, error.facts.get("job", ""), quiet=quiet)


def _wait(client: Client, job: str, *, quiet: bool) -> float:
    """Until the job ends; a moment where it has not been made, or has just ended. Answers the seconds without a job."""
    if job and not client.jobs.get(job).HasField("end_time"):
        watch_job(client, job, quiet=quiet)
        return 0
    time.sleep(ASK_EVERY_S)
    return ASK_EVERY_S


def missing_facts(profile: Profile) -> dict[str, str] | None:
    """For scripts: why there are no statistics, and the job that was to find them; None where there are."""
    why = profile.missing
    return {"reason": why.reason, "message": why.message, "job": why.facts.get("job", "")} if why else None


def save_page(client: Client, profile: Profile, path: Path) -> None:
    """Raises NotFound where there is none (yet), InvalidArgument where the file can't be written."""
    if profile.statistics is None:
        assert profile.missing is not None
        raise profile.missing
    save(path, client.datasets.profile_page(profile.statistics))


def show_profile(profile: Profile, spec: dataset_pb2.InputSpec, name: str, *, waited: bool) -> None:
    """For people."""
    out = console()
    if profile.statistics is None:
        assert profile.missing is not None
        waits = profile.missing.reason == PENDING and not waited
        hint = f"; to wait for them: modelyard datasets show {name} --wait" if waits else ""
        print(f"{profile.missing.message}{hint}", file=sys.stderr)
        return
    found = profile.statistics
    out.print()
    kinds = {feature.name: feature for feature in (*spec.features, *spec.item_features)}
    for title, features in (("FEATURE", found.features), ("ITEM", found.item_features)):
        if features:
            show_table(
                (title, "VALUES", "MISSING", "DIFFERENT", "WHAT"),
                [_row(feature, kinds.get(feature.name)) for feature in features],
            )
    out.print()
    for sentence in found.findings or ("nothing stands out",):
        out.print(f"· {plain(sentence)}")
    listed = list(found.undecodable.examples)[:_LISTED]
    if len(listed) > 1:
        more = "" if found.undecodable.example_count == len(listed) else f", the first {len(listed)}"
        out.print(f"what cannot be read{more}:")
        for example in listed:
            out.print(f"  {plain(example.origin)}: {plain(example.reason)}")
    out.print(f"profiled by {short(found.job)}; a page to look at: modelyard datasets show {name} --html FILE")


def _row(feature: statistics_pb2.FeatureStatistics, described: dataset_pb2.Feature | None) -> tuple[str, ...]:
    about = "~" if feature.distinct_estimated else ""
    different = f"{about}{feature.distinct_count:,}" if feature.distinct_count else ""
    missing = f"{feature.missing_count:,}" if feature.missing_count else ""
    return feature.name, f"{feature.count:,}", missing, different, "; ".join(_what(feature))


def _what(feature: statistics_pb2.FeatureStatistics) -> Iterable[str]:
    time_ = feature.kind == dataset_pb2.Feature.KIND_TIME
    if feature.HasField("number"):
        number = feature.number
        if time_:
            yield f"{_day(number.minimum)} to {_day(number.maximum)}"
        elif number.minimum == number.maximum:
            yield f"always {_number(number.minimum)}"
        else:
            spread = f"mean {_number(number.mean)} ± {_number(number.standard_deviation)}"
            yield f"{_number(number.minimum)} to {_number(number.maximum)}, {spread}"
    for length in feature.lengths:
        low, high = _number(length.minimum), _number(length.maximum)
        one = _ONE.get(length.unit, length.unit) if low == "1" else length.unit
        yield f"{low} {one}" if low == high else f"{low} to {high} {length.unit}"
    if feature.encodings:
        yield ", ".join(f"{each.count:,} {each.value}" for each in feature.encodings)
    if feature.top_values:
        shown = [f"{plain(each.value)[:24]} {each.count:,}" for each in feature.top_values[:_TOP]]
        yield ", ".join(shown) + (" …" if len(feature.top_values) > _TOP else "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e9 else f"{value:.4g}"


def _day(seconds: float) -> Any:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return _number(seconds)
