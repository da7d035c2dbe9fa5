"""`benches/scale.py`: the full corpus on paper."""

import json
from pathlib import Path

import pytest

import scale
from scale import enough_gigabits, main, measured


def test_more_cores_are_faster_until_the_network_is_the_limit() -> None:
    values = {"terabytes": 36.0, "core_megabytes": 100.0, "efficiency": 0.9, "core_hour_price": 0.1}
    one = scale.scale(1, 100.0, **values)
    assert one.seconds == pytest.approx(360_000.0)
    assert one.limit == "cores"
    assert one.dollars == pytest.approx(10.0)
    ten = scale.scale(10, 100.0, **values)
    assert ten.seconds == pytest.approx(one.seconds / 9.1)
    behind = scale.scale(10, 1.0, **values)
    assert behind.seconds == pytest.approx(288_000.0)
    assert behind.limit == "network"
    assert enough_gigabits(10, 100.0, 0.9) == pytest.approx(7.28)
    exact = scale.scale(10, enough_gigabits(10, 100.0, 0.9), **values)
    assert exact.compute_seconds == pytest.approx(exact.network_seconds)


def test_rates_come_from_a_run_of_the_harness(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"case": "packages to dataset, 1 core", "ours": "1,203.5 MB/s", "ratio": 15.2},
        {"case": "packages to dataset, 1 core", "ours": "7 MB/s", "ratio": 3.0},
        {"case": "packages to Arrow, 2 threads", "ours": "556 MB/s", "ratio": 1.8},
    ]
    run = tmp_path / "run.json"
    run.write_text(json.dumps({"rows": rows}))
    assert measured(run) == pytest.approx((1203.5, 0.8))
    assert main(["--run", str(run), "--cores", "2", "--gigabits", "10"]) == 0
    out = capsys.readouterr().out
    assert "a core reads 1,203.5 MB/s" in out
    assert "2 cores fill a network of 17.3 Gbit/s" in out


def test_numbers_without_sense_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--megabytes", "100", "--efficiency", "1.5"])
    assert "at most 1" in capsys.readouterr().err
