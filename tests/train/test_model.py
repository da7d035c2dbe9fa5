from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import biomedica as bm
from biomedica.exceptions import TrainingError
from biomedica.train import model
from biomedica.train.config import Config
from biomedica.train.device import Device
from biomedica.train.distributed import World
from biomedica.train.log import reporters

Make = Callable[..., Config]


@pytest.fixture
def world(cpu: Device) -> World:
    return World(0, 1, cpu)


def test_the_same_seed_gives_the_same_weights(config: Make, world: World) -> None:
    one, same, other = (model.create(config(seed=seed), world).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["visual.proj"], other["visual.proj"])


def test_a_checkpoint_or_its_file_is_where_another_run_begins(config: Make, world: World) -> None:
    result = bm.train.train(config(steps=1))
    wanted = model.load_weights(result.checkpoint)
    for given in (result.checkpoint, result.checkpoint / "model.safetensors"):
        found = model.create(config(pretrained=str(given)), world).state_dict()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_siglip_begins_as_its_paper_says(config: Make, world: World) -> None:
    state = model.create(config(siglip=True), world).state_dict()
    assert state["logit_bias"].item() == -10
    assert state["logit_scale"].exp().item() == pytest.approx(10)


def test_the_packages_own_model_is_small(config: Make, world: World) -> None:
    made = model.create(config(model="biomedica-tiny"), world)
    assert sum(p.numel() for p in made.parameters()) < 15_000_000
    assert model.image_size(made) == 64


def test_an_unknown_model_gets_a_hint(config: Make, world: World) -> None:
    with pytest.raises(TrainingError, match="did you mean ViT-B-32"):
        model.create(config(model="VIT-B-32"), world)
    with pytest.raises(TrainingError, match="no such model config"):
        model.create(config(model="nowhere.json"), world)


def test_an_unknown_tag_is_told_from_a_missing_file(config: Make, world: World) -> None:
    with pytest.raises(TrainingError, match=r"no such file, and no tag of ViT-B-32 \(tags: openai"):
        model.create(config(model="ViT-B-32", pretrained="mine.pt"), world)


def test_weights_of_another_model_are_refused(config: Make, world: World, tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(TrainingError, match=r"other\.pt: does not fit model nano"):
        model.create(config(pretrained=str(tmp_path / "other.pt")), world)
    (tmp_path / "garbage.pt").write_bytes(b"no weights")
    with pytest.raises(TrainingError, match=r"garbage\.pt: no readable weights"):
        model.load_weights(tmp_path / "garbage.pt")


def test_offline_says_which_file_is_wanted(config: Make, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    import open_clip.factory

    def offline(*_: object, **__: object) -> str:
        raise OSError("no route to host\nsecond line")

    monkeypatch.setattr(open_clip.factory, "download_pretrained", offline)
    monkeypatch.setattr(open_clip.factory, "download_pretrained_from_hf", offline)
    monkeypatch.setattr(open_clip.factory, "_get_hf_config", offline)
    with pytest.raises(TrainingError) as found:
        model.create(config(model="ViT-L-14", pretrained="commonpool_xl_clip_s13b_b90k"), world)
    message = str(found.value)
    assert "\n" not in message
    assert "huggingface.co/laion/CLIP-ViT-L-14-CommonPool.XL.clip-s13B-b90K" in message
    assert "--init FILE" in message
    with pytest.raises(TrainingError, match=r"https://huggingface\.co/org/name .*no route to host"):
        model.create(config(pretrained="hf-hub:org/name"), world)


def test_reporters_that_are_missing_or_unknown_are_said() -> None:
    assert reporters("none") == []
    with pytest.raises(ValueError, match="smoke"):
        reporters("smoke")
    for name in ("tensorboard", "wandb"):
        try:
            assert reporters(name) == [name]
        except ModuleNotFoundError as error:
            assert "pip install" in str(error)  # noqa: PT017 - installed or not, either is right
