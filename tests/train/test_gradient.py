from collections.abc import Callable
from typing import Any

import open_clip
import pytest
import torch

from biomedica.train.device import Device
from biomedica.train.gradient import Batch, backward, split


def made(nano: str, *, siglip: bool = False) -> Any:
    open_clip.add_model_config(nano)
    torch.manual_seed(3)
    options = {"init_logit_bias": -2.0} if siglip else {}
    return open_clip.create_model("nano", output_dict=True, **options).double().train()


def batch(size: int) -> Batch:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(size, 3, 16, 16, generator=generator, dtype=torch.float64)
    tokens = torch.randint(1, 63, (size, 8), generator=generator)
    tokens[:, -1] = 63
    return images, tokens


def gradients(model: Any) -> dict[str, torch.Tensor]:
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad(set_to_none=True)
    return found


def loss_of(siglip: bool) -> Callable[..., torch.Tensor]:
    loss: Callable[..., torch.Tensor] = open_clip.loss.SigLipLoss() if siglip else open_clip.ClipLoss()
    return loss


def assert_same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.parametrize("siglip", [False, True], ids=["clip", "siglip"])
@pytest.mark.parametrize("sizes", [[4, 4, 4], [12], [5, 7], [1] * 12])
def test_accumulation_gives_the_large_batchs_gradient(nano: str, cpu: Device, siglip: bool, sizes: list[int]) -> None:
    model, whole = made(nano, siglip=siglip), batch(12)
    value = loss_of(siglip)(**model(*whole))
    value.backward()
    wanted = gradients(model)
    parts = list(zip(whole[0].split(sizes), whole[1].split(sizes), strict=True))
    ours = backward(model, loss_of(siglip), parts, cpu)
    torch.testing.assert_close(ours, value.detach(), rtol=1e-12, atol=0)
    assert_same(gradients(model), wanted)


@pytest.mark.parametrize("siglip", [False, True], ids=["clip", "siglip"])
@pytest.mark.parametrize("size", [1, 3, 4, 16, 100])
def test_grad_cache_gives_the_large_batchs_gradient(nano: str, cpu: Device, siglip: bool, size: int) -> None:
    model, whole = made(nano, siglip=siglip), batch(16)
    loss_of(siglip)(**model(*whole)).backward()
    wanted = gradients(model)
    backward(model, loss_of(siglip), split([whole], size), cpu)
    assert_same(gradients(model), wanted)


def test_losses_of_parts_would_be_another_gradient(nano: str, cpu: Device) -> None:
    model, whole = made(nano), batch(12)
    backward(model, loss_of(siglip=False), split([whole], 4), cpu)
    exact = gradients(model)
    for part in split([whole], 4):
        backward(model, loss_of(siglip=False), [part], cpu)
    assert not torch.allclose(gradients(model)["visual.proj"] / 3, exact["visual.proj"], rtol=0.05)


def test_open_clips_accumulation_gives_the_same(nano: str, cpu: Device) -> None:
    """The method of `open_clip_train.train`: cached features, and the whole loss once for each part."""
    model, parts, loss = made(nano), split([batch(12)], 4), loss_of(siglip=False)
    with torch.no_grad():
        cached = [model(*part) for part in parts]
    for number, part in enumerate(parts):
        output = model(*part)
        inputs = {
            name: torch.cat([output[name] if i == number else one[name] for i, one in enumerate(cached)])
            for name in ("image_features", "text_features")
        }
        loss(**inputs, logit_scale=output["logit_scale"]).backward()
    theirs = gradients(model)
    backward(model, loss, parts, cpu)
    ours = gradients(model)
    # Its logit scale alone has the gradient once for each part.
    torch.testing.assert_close(theirs.pop("logit_scale"), ours.pop("logit_scale") * len(parts))
    assert_same(ours, theirs)


def test_dropout_falls_in_the_second_pass_as_in_the_first(nano: str, cpu: Device) -> None:
    model, whole = made(nano), batch(12)
    model.visual.patch_dropout = open_clip.transformer.PatchDropout(0.5)
    parts = split([whole], 4)
    torch.manual_seed(9)
    outputs = [model(*part) for part in parts]
    inputs = {name: torch.cat([o[name] for o in outputs]) for name in ("image_features", "text_features")}
    loss_of(siglip=False)(**inputs, logit_scale=outputs[0]["logit_scale"]).backward()
    wanted, after = gradients(model), torch.get_rng_state()
    torch.manual_seed(9)
    backward(model, loss_of(siglip=False), parts, cpu)
    assert_same(gradients(model), wanted)
    assert torch.equal(torch.get_rng_state(), after)


class Held:
    """Counts the elements that are kept for a backward pass, and the most at any time."""

    now = most = 0

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor
        Held.now += tensor.numel()
        Held.most = max(Held.most, Held.now)

    def __del__(self) -> None:
        Held.now -= self.tensor.numel()


def test_one_towers_activations_are_held_at_a_time(nano: str, cpu: Device) -> None:
    def most(work: Callable[[], object]) -> int:
        Held.now = Held.most = 0
        with torch.autograd.graph.saved_tensors_hooks(Held, lambda held: held.tensor):
            work()
        return Held.most

    model, whole = made(nano), batch(16)
    images, tokens = split([whole], 4)[0]
    each = [most(lambda: model(images, None)), most(lambda: model(None, tokens))]
    both = most(lambda: model(images, tokens))
    assert max(each) < 0.8 * both
    # Beside a tower: what the loss keeps of the features.
    assert most(lambda: backward(model, loss_of(siglip=False), split([whole], 4), cpu)) < 1.1 * max(each)


def test_a_locked_tower_gets_no_gradient(nano: str, cpu: Device) -> None:
    model = made(nano)
    model.lock_image_tower()
    backward(model, loss_of(siglip=False), split([batch(8)], 4), cpu)
    found = gradients(model)
    assert found
    assert not [name for name in found if name.startswith("visual.")]


def test_parts_lose_no_pair() -> None:
    parts = split([batch(7), batch(3)], 4)
    assert [len(images) for images, _ in parts] == [4, 3, 3]
    assert torch.equal(torch.cat([tokens for _, tokens in parts]), torch.cat([batch(7)[1], batch(3)[1]]))


def test_scaled_losses_scale_the_gradient(nano: str, cpu: Device) -> None:
    model, parts = made(nano), split([batch(8)], 4)
    backward(model, loss_of(siglip=False), parts, cpu)
    plain = gradients(model)
    backward(model, loss_of(siglip=False), parts, cpu, lambda loss: loss * 1024)
    assert_same({name: g / 1024 for name, g in gradients(model).items()}, plain)
