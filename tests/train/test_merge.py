from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

import biomedica as bm
from biomedica.cli import main
from biomedica.exceptions import TrainingError
from biomedica.train.config import Config
from biomedica.train.merge import between, parse_alphas
from biomedica.train.validate import HeldOut


@pytest.fixture
def pair(nano: str, tmp_path: Path) -> tuple[Path, Path]:
    """Weights of two models, one in each format."""
    open_clip.add_model_config(nano)
    paths = tmp_path / "base.safetensors", tmp_path / "tuned.pt"
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        state = open_clip.create_model("nano").state_dict()
        if path.suffix == ".pt":
            torch.save({"state_dict": {f"module.{name}": value for name, value in state.items()}}, path)
        else:
            save_file(state, path)
    return paths


def test_ends_are_the_models_and_the_middle_is_their_mean(pair: tuple[Path, Path], tmp_path: Path) -> None:
    base = load_file(pair[0])
    tuned = {name[7:]: value for name, value in torch.load(pair[1], weights_only=True)["state_dict"].items()}
    merged = bm.merge(*pair, tmp_path / "out" / "m.safetensors", alpha=[0, 0.5, 1])
    assert [one.path.name for one in merged] == ["m-0.safetensors", "m-0.5.safetensors", "m-1.safetensors"]
    none, half, all_of_it = (load_file(one.path) for one in merged)
    for name, a in base.items():
        assert torch.equal(none[name], a)
        assert torch.equal(all_of_it[name], tuned[name])
        torch.testing.assert_close(half[name], (a + tuned[name]) / 2, rtol=1e-6, atol=1e-7)
    assert not any(path.name.startswith(".") for path in (tmp_path / "out").iterdir())


def test_whole_numbers_come_from_the_nearer_model() -> None:
    merged = between({"n": torch.tensor([3])}, {"n": torch.tensor([8])}, 0.25)
    assert merged["n"].tolist() == [3]


def test_half_precision_is_summed_in_full() -> None:
    base, tuned = {"w": torch.tensor([1.0]).bfloat16()}, {"w": torch.tensor([1.0078125]).bfloat16()}
    assert between(base, tuned, 0.5)["w"].dtype == torch.bfloat16


def test_a_sweep_is_evaluated(pair: tuple[Path, Path], nano: str, tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    batch = torch.randn(20, 3, 16, 16, generator=generator), torch.randint(1, 64, (20, 8))
    config = Config(model=nano, device="cpu")
    merged = bm.merge(*pair, tmp_path / "m.safetensors", alpha=[0, 1], config=config, held_out=HeldOut(lambda: [batch]))
    assert all(one.metrics["samples"] == 20 for one in merged)


@pytest.mark.parametrize("change", ["missing", "shape"])
def test_models_of_two_architectures_are_refused(pair: tuple[Path, Path], tmp_path: Path, change: str) -> None:
    other = load_file(pair[0])
    name = "visual.proj"
    if change == "missing":
        del other[name]
    else:
        other[name] = torch.zeros(3, 3)
    save_file(other, tmp_path / "other.safetensors")
    for ends in ((pair[0], tmp_path / "other.safetensors"), (tmp_path / "other.safetensors", pair[0])):
        with pytest.raises(TrainingError, match=r"visual\.proj"):
            bm.merge(*ends, tmp_path / "m.safetensors")


def test_alphas_are_read() -> None:
    assert parse_alphas("0.5") == [0.5]
    assert parse_alphas("0,0.25,1") == [0, 0.25, 1]
    assert parse_alphas("0:1:0.1") == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]


def test_the_command_merges(pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["merge", *map(str, pair), "--alpha", "0.3", "--output", str(tmp_path / "m.safetensors")]) == 0
    assert capsys.readouterr().out.startswith("alpha 0.3: ")
    assert (tmp_path / "m.safetensors").exists()
    assert main(["merge", *map(str, pair), "--alpha", "1.3", "--output", str(tmp_path / "m.safetensors")]) == 2
    assert main(["merge", "nowhere", str(pair[1]), "--output", str(tmp_path / "m.safetensors")]) == 1
    assert "nowhere: no such file of weights" in capsys.readouterr().err
