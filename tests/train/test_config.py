import argparse
import json

import pytest

from biomedica.train.config import PRECISIONS, PRESETS, Config, SaveEvery, add_arguments, from_arguments


def parsed(*argv: str) -> Config:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return from_arguments(parser.parse_args(argv))


@pytest.mark.parametrize(
    ("name", "epochs"), [("bmc-clip-full", 9), ("bmc-clip-balanced", 27), ("bmc-clip-filtered", 36)]
)
def test_presets_are_the_runs_of_the_paper(name: str, epochs: int) -> None:
    preset = PRESETS[name]
    assert preset.epochs == epochs
    assert preset.total_batch(world_size=4) == 8192
    assert (preset.model, preset.lr, preset.beta1, preset.beta2, preset.warmup) == ("ViT-L-14", 1e-6, 0.9, 0.95, 1000)
    assert (preset.precision, preset.grad_clip_norm) == ("fp32", 1.0)
    assert preset.pretrained is not None
    assert preset.pretrained.startswith("commonpool")


def test_what_is_given_wins_over_the_preset() -> None:
    config = parsed("--preset", "bmc-clip-full", "--accum-freq", "8", "--init", "weights.pt", "--train-data", "a", "b")
    assert (config.accum_freq, config.pretrained, config.train_data) == (8, "weights.pt", ("a", "b"))
    assert config.lr == 1e-6
    assert config.total_batch(world_size=1) == 8192


def test_every_field_is_an_option_and_goes_through_json() -> None:
    config = parsed(
        *("--siglip", "--no-local-loss", "--precision", "amp_bf16", "--grad-cache", "32", "--lr-scheduler", "const"),
        *("--save-every", "90s", "--beta2", "0.95"),
    )
    assert (config.siglip, config.local_loss, config.gather_with_grad) == (True, False, True)
    assert PRECISIONS[config.precision] == "bf16"
    assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_open_clips_names_mean_what_they_mean_there() -> None:
    params = pytest.importorskip("open_clip_train.params")
    given = ["--batch-size", "3", "--accum-freq", "2", "--lr", "0.1", "--wd", "0.3", "--warmup", "7", "--beta1", "0.8"]
    given += [
        "--eps",
        "1e-5",
        "--epochs",
        "4",
        "--grad-clip-norm",
        "1.5",
        "--pretrained",
        "x",
        "--seed",
        "5",
        "--siglip",
    ]
    given += ["--lock-image", "--lock-image-unlocked-groups", "2", "--lock-text-unlocked-layers", "1", "--torchcompile"]
    given += ["--grad-checkpointing", "--local-loss", "--gather-with-grad", "--precision", "amp", "--model", "RN50"]
    theirs, ours = vars(params.parse_args(given)), parsed(*given).to_json()
    for option in given:
        if option.startswith("--"):
            name = option[2:].replace("-", "_")
            assert ours[name] == theirs[name], name


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("2000", SaveEvery(steps=2000)), ("90s", SaveEvery(seconds=90)), ("30m", SaveEvery(seconds=1800)),
     ("1.5h", SaveEvery(seconds=5400)), ("never", SaveEvery())],
)  # fmt: skip
def test_save_every_is_steps_or_time(text: str, wanted: SaveEvery) -> None:
    assert SaveEvery.parse(text) == wanted


@pytest.mark.parametrize(
    "options",
    [{"save_every": "soon"}, {"save_every": "0"}, {"batch_size": 0}, {"grad_cache": 0}, {"lr": -1.0}, {"beta2": 1.5},
     {"precision": "fp8"}, {"name": "../up"}, {"name": ""}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        Config(**options)  # type: ignore[arg-type]
