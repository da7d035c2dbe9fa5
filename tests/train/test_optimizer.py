import math
from collections.abc import Callable

import open_clip
import pytest
import torch

from biomedica.train.config import Config
from biomedica.train.optimizer import clamp_logit_scale, create, decays, lr_at

Make = Callable[..., Config]


def test_learning_rate_rises_then_falls_as_a_cosine(config: Make) -> None:
    options = config(lr=1.0, warmup=4)
    rates = [lr_at(step, options, 12) for step in range(12)]
    assert rates[:4] == [0.25, 0.5, 0.75, 1.0]
    assert rates[4] == 1.0
    assert rates[8] == pytest.approx(0.5)
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert lr_at(12, options, 12) == pytest.approx(0, abs=1e-12)


def test_learning_rate_can_stay(config: Make) -> None:
    options = config(lr=1.0, warmup=2, lr_scheduler="const")
    assert [lr_at(step, options, 5) for step in range(5)] == [0.5, 1, 1, 1, 1]


def test_learning_rate_is_open_clips(config: Make) -> None:
    scheduler = pytest.importorskip("open_clip_train.scheduler")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = scheduler.cosine_lr(optimizer, 3e-4, 10, 50)
    ours = [lr_at(step, config(lr=3e-4, warmup=10), 50) for step in range(50)]
    assert ours == pytest.approx([theirs(step) for step in range(50)], rel=1e-12)


def test_a_warm_up_longer_than_the_run_only_rises(config: Make) -> None:
    rates = [lr_at(step, config(lr=1.0, warmup=100), 10) for step in range(10)]
    assert rates == sorted(rates)
    assert rates[-1] == 0.1


def test_gains_biases_and_logit_scale_do_not_decay(config: Make, nano: str) -> None:
    open_clip.add_model_config(nano)
    model = open_clip.create_model("nano", init_logit_bias=-10.0)
    names = {name for name, parameter in model.named_parameters() if decays(name, parameter)}
    assert {"visual.conv1.weight", "token_embedding.weight", "text_projection", "visual.proj"} <= names
    assert not {name for name in names if "bias" in name or ".ln_" in name or name.startswith("logit_")}
    plain, decaying = create(model, config(wd=0.3), fused=False).param_groups
    assert (plain["weight_decay"], decaying["weight_decay"]) == (0.0, 0.3)
    assert len(plain["params"]) + len(decaying["params"]) == len(list(model.parameters()))
    assert model.logit_scale in set(plain["params"])


def test_locked_parameters_are_left_out(config: Make, nano: str) -> None:
    open_clip.add_model_config(nano)
    model = open_clip.create_model("nano")
    model.lock_image_tower()
    trained = {id(p) for group in create(model, config(), fused=False).param_groups for p in group["params"]}
    assert not trained & {id(p) for p in model.visual.parameters()}


@pytest.mark.parametrize(("before", "after"), [(9.0, math.log(100)), (-1.0, 0.0), (2.0, 2.0)])
def test_logit_scale_stays_between_1_and_100(before: float, after: float) -> None:
    model = torch.nn.Module()
    model.logit_scale = torch.nn.Parameter(torch.tensor(before))
    clamp_logit_scale(model)
    assert model.logit_scale.item() == pytest.approx(after)
