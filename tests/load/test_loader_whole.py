"""The loader with all its parts: what `biomedica.loader` opens, decodes and tokenises, as one would by hand."""

import subprocess
import sys
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import biomedica as bm
from biomedica._core import Decoder
from biomedica.load.seeds import CROP, seed_of
from biomedica.load.tokenize import get_tokenizer
from load.small_shards import write_shards

SAMPLES = 60
SIZE = 32
TOKENIZER = get_tokenizer("ViT-B-32")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shards(tmp_path_factory.mktemp("whole"), SAMPLES, size=(100, 80))[0].parent


def load(source: Path, **options: Any) -> bm.Loader:
    defaults: dict[str, Any] = {"batch_size": 8, "image_size": SIZE, "decoder": "rust", "device": "cpu", "threads": 2}
    return bm.loader(f"{source}/*.tar", **defaults | {"max_bad_fraction": 0.1} | options)


def by_hand(source: Path, epoch_of: int = 0, **options: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Images and tokens of an epoch, one by one."""
    decoder = Decoder(SIZE, threads=1, **options)
    stream = bm.stream(f"{source}/*.tar", seed=3, drop_last=True)
    stream.set_epoch(epoch_of)
    images, texts = [], []
    for sample in stream:
        image: Any = np.empty((1, 3, SIZE, SIZE), np.float32)
        assert not decoder.decode_batch([sample.image], [seed_of(CROP, 3, epoch_of, sample.position)], image)
        images.append(torch.from_numpy(image))
        texts.append(sample.caption)
    return torch.cat(images), torch.from_numpy(TOKENIZER.encode(texts).ids)


def joined(batches: bm.Loader) -> tuple[torch.Tensor, torch.Tensor]:
    pairs = [(images, tokens) for images, tokens in batches if isinstance(tokens, torch.Tensor)]
    return torch.cat([images for images, _ in pairs]), torch.cat([tokens for _, tokens in pairs])


@pytest.mark.parametrize("threads", [1, 3])
def test_batches_are_those_made_by_hand(shards: Path, threads: int) -> None:
    with load(shards, seed=3, threads=threads) as batches:
        for epoch in range(2):
            images, tokens = joined(batches)
            wanted_images, wanted_tokens = by_hand(shards, epoch)
            assert images.dtype == torch.float32
            assert tokens.dtype == torch.int64
            assert torch.equal(images, wanted_images[:56])
            assert torch.equal(tokens, wanted_tokens[:56])


def test_options_of_the_transform_reach_the_decoder(shards: Path) -> None:
    options: dict[str, Any] = {
        "scale": (0.2, 0.3), "ratio": (1.0, 1.1), "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.6, 0.7),
        "interpolation": "bilinear", "flip": True,
    }  # fmt: skip
    with load(shards, seed=3, **options) as batches:
        assert torch.equal(joined(batches)[0], by_hand(shards, **options)[0][:56])


def test_a_models_own_preprocessing_is_taken(shards: Path) -> None:
    config = {
        "size": (24, 24),
        "mean": (0, 0, 0),
        "std": (1, 1, 1),
        "interpolation": "bilinear",
        "resize_mode": "squash",
    }
    with load(shards, train=False, preprocess_cfg=config) as batches:
        images, _ = joined(batches)
    decoder = Decoder(24, train=False, mean=(0, 0, 0), std=(1, 1, 1), interpolation="bilinear", fit="squash")
    samples = list(bm.stream(f"{shards}/*.tar", shuffle=False))
    wanted: Any = np.empty((SAMPLES, 3, 24, 24), np.float32)
    decoder.decode_batch([sample.image for sample in samples], [0] * SAMPLES, wanted)
    assert torch.equal(images, torch.from_numpy(wanted))
    with pytest.raises(ValueError, match="square"):
        load(shards, preprocess_cfg={"size": (24, 32)})


def test_one_image_of_a_hundred_broken_is_replaced_and_told(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, 300, bad=[17, 117, 217])[0].parent
    with load(shards, tokenizer=None) as batches:
        for _ in range(2):
            captions = [caption for _, captions in batches for caption in captions]
            assert len(captions) == 296
            assert not {"caption 17", "caption 117", "caption 217"} & set(captions)
            # Each that is bad is replaced by one that comes in its own turn too.
            assert len(set(captions)) >= 293
        assert 4 <= batches.stats["bad_samples"] <= 6
        assert "s000017" in " ".join(str(problem) for problem in batches.problems)


def test_a_jpeg_that_ends_early_is_bad(tmp_path: Path) -> None:
    directory = write_shards(tmp_path / "whole", 20, shards=1, size=(300, 300))[0].parent
    data = (directory / "0000.tar").read_bytes()
    # The second half of a sample's JPEG is overwritten: its headers still say what it was to be.
    begin = data.index(b"s000007.jpg") + 512
    length = int(data[begin - 512 + 124 : begin - 512 + 135], 8)
    broken = bytearray(data)
    broken[begin + length // 2 : begin + length] = bytes(length - length // 2)
    (directory / "0000.tar").write_bytes(broken)
    with load(directory, tokenizer=None, batch_size=4) as batches:
        captions = [caption for _, captions in batches for caption in captions]
        assert len(captions) == 20
        assert "caption 7" not in captions
        assert batches.stats["bad_samples"] == 1


def test_the_same_epoch_again_is_the_same_bytes(shards: Path) -> None:
    with load(shards, seed=3) as batches:
        state = batches.state_dict()
        first = joined(batches)
        batches.load_state_dict(state)
        assert all(torch.equal(left, right) for left, right in zip(first, joined(batches), strict=True))


@pytest.mark.skipif(find_spec("nvidia") is None or find_spec("nvidia.dali") is None, reason="DALI is not installed")
def test_dali_on_the_cpu_gives_the_same_batches_but_for_rounding(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, 24, bad=[5], size=(320, 240))[0].parent
    with load(shards, decoder="dali-cpu") as dali, load(shards, decoder="rust") as rust:
        images, tokens = joined(dali)
        wanted_images, wanted_tokens = joined(rust)
        assert torch.equal(tokens, wanted_tokens)
        assert (images - wanted_images).abs().mean() < 0.05
        assert dali.stats["bad_samples"] == rust.stats["bad_samples"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"prefetch": 0}, "prefetch is 0"),
        ({"decoder": "pillow"}, "decoder is 'pillow'"),
        ({"tokenizer": "ViT-B-33"}, "no model of open_clip"),
        ({"caption_choice": "title=1"}, "unknown kind 'title'"),
        ({"threads": 0}, "threads is 0"),
        ({"scale": (0.0, 2.0)}, "scale"),
        ({"decoder": "dali-cpu", "train": False, "fit": "squash"}, "decoder='rust'"),
    ],
)
def test_options_that_make_no_sense_are_refused(shards: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(shards, **options)


def test_nothing_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(bm.SourceNotFoundError):
        load(tmp_path)


@pytest.mark.slow
def test_memory_is_flat_over_twenty_epochs(tmp_path: Path) -> None:
    shards = write_shards(tmp_path, 512, bad=range(0, 512, 100), size=(400, 300))[0].parent
    code = f"""
import re
import biomedica as bm
batches = bm.loader("{shards}/*.tar", batch_size=64, image_size=112, device="cpu", caption_choice="caption=1,mention=1")
for epoch in range(20):
    for images, tokens in batches:
        pass
    print(re.search(r"VmRSS:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    sizes = [int(line) / 1024 for line in out.split()]
    assert len(sizes) == 20
    # MiB, from the third epoch on: by then all that is kept is there.
    assert max(sizes[2:]) - sizes[2] < 16, sizes
    assert sum(later > earlier for earlier, later in pairwise(sizes[10:])) < 9, sizes


def test_an_interpreter_that_ends_in_the_middle_of_an_epoch_ends_at_once(shards: Path) -> None:
    code = f"""
import biomedica as bm
batches = iter(bm.loader("{shards}/*.tar", batch_size=2, image_size=64, device="cpu", tokenizer=None))
next(batches)
print("out", flush=True)
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "out\n", "")


def test_ctrl_c_while_waiting_for_a_batch_ends_at_once_without_a_word_of_threads(shards: Path) -> None:
    code = f"""
import os, signal, threading, time
import biomedica as bm

def slow(texts):
    time.sleep(0.5)
    return [[0]] * len(texts)

batches = bm.loader("{shards}/*.tar", batch_size=2, image_size=64, device="cpu", tokenizer=slow)
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    for batch in batches:
        pass
except KeyboardInterrupt:
    print([thread.name for thread in threading.enumerate() if thread.name == "biomedica.loader"])
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("decoder", ["rust", "dali"])
def test_batches_on_the_gpu_are_those_of_the_cpu(tmp_path: Path, decoder: str) -> None:
    if decoder == "dali" and (find_spec("nvidia") is None or find_spec("nvidia.dali") is None):
        pytest.skip("DALI is not installed")
    shards = write_shards(tmp_path, 240, bad=[5], size=(320, 240))[0].parent
    with load(shards, decoder=decoder, device=None, prefetch=3) as here, load(shards) as there:
        busy = torch.zeros(2048, 2048, device="cuda")
        for (images, tokens), (wanted, ids) in zip(here, there, strict=True):
            assert isinstance(tokens, torch.Tensor)
            assert isinstance(ids, torch.Tensor)
            # Work on the stream of the model, so that what is handed over too early would show.
            for _ in range(4):
                busy = busy @ busy
            assert images.is_cuda
            assert tokens.is_cuda
            assert torch.equal(tokens.cpu(), ids)
            error = (images.cpu() - wanted).abs()
            assert (error.max() == 0) if decoder == "rust" else (error.mean() < 0.05)
        assert here.stats["bad_samples"] == there.stats["bad_samples"] == 1
