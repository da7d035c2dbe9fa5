"""The options of a training run: one frozen dataclass, its command line, and the presets of the BIOMEDICA paper.

Names are open_clip's (`open_clip_train.params`) wherever they mean the same. Nothing here imports torch.
"""

import argparse
import dataclasses
import re
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

__all__ = ["PRECISIONS", "PRESETS", "SYNTHETIC", "Config", "SaveEvery", "add_arguments", "from_arguments"]

SYNTHETIC = "synthetic"
"""The value of `train_data` that stands for made-up batches."""

PRECISIONS = {
    "fp32": "fp32",
    "bf16": "bf16",
    "amp_bf16": "bf16",
    "amp_bfloat16": "bf16",
    "fp16": "fp16",
    "amp": "fp16",
    "amp_fp16": "fp16",
}
"""What each name means. Half precision is always autocast over fp32 weights, as open_clip's `amp` names are."""


@dataclass(frozen=True)
class SaveEvery:
    """When to write a checkpoint: every so many steps or seconds; neither means at the end only."""

    steps: int | None = None
    seconds: float | None = None

    @classmethod
    def parse(cls, text: str) -> "SaveEvery":
        """`2000` is steps; `90s`, `30m` and `2h` are time; `never` is at the end only."""
        if text == "never":
            return cls()
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])|(\d+)", text)
        if not match or not float(match[1] or match[3]):
            raise ValueError(f"save_every {text!r} is no number of steps (2000) and no time (90s, 30m, 2h)")
        if match[3]:
            return cls(steps=int(match[3]))
        return cls(seconds=float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]])


def _option(default: Any, text: str, **argument: Any) -> Any:
    """A field with its help and what else `add_argument` is to know."""
    return field(default=default, metadata={"help": text, **argument})


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides a run. A checkpoint keeps it as JSON."""

    # Data
    train_data: tuple[str, ...] = _option((), "dataset, shards, URLs or brace lists; `synthetic` makes data up")
    val_data: tuple[str, ...] = _option((), "held-out shards for recall")
    selection: str | None = _option(None, "what to train on: a file that `select` wrote, or one of keys")
    exclude: str | None = _option(
        None, "what not to train on: the `blocked.parquet` of `leaks`, or another file of keys"
    )
    val_selection: str | None = _option(None, "the same, of what to validate on")
    train_num_samples: int = _option(4096, "samples an epoch of synthetic data")
    caption_choice: str | None = _option(None, "probabilities of texts, as caption=0.8,panel=0.1,mention=0.1")
    decoder: Literal["auto", "dali", "dali-cpu", "rust"] = _option("auto", "who decodes images")
    threads: int | None = _option(None, "threads that read and decode")
    max_bad_fraction: float = _option(0.05, "share of samples that may be unreadable before the run ends")
    # Model
    model: str = _option("ViT-B-32", "name in open_clip, `hf-hub:org/name`, `local-dir:path`, or a JSON file")
    pretrained: str | None = _option(
        None,
        "weights to begin with: a tag of open_clip, `hf-hub:org/name`, or a file",
        flags=("--pretrained", "--init"),
    )
    force_image_size: int | None = _option(None, "side of the images, where it is not the model's own")
    lock_image: bool = _option(False, "do not train the image tower (LiT)")
    lock_image_unlocked_groups: int = _option(
        0, "last groups of layers of a locked image tower that train all the same"
    )
    lock_text: bool = _option(False, "do not train the text tower")
    lock_text_unlocked_layers: int = _option(0, "last layers of a locked text tower that train all the same")
    grad_checkpointing: bool = _option(False, "recompute activations instead of keeping them")
    torchcompile: bool = _option(False, "compile the model")
    # Loss and gradient
    siglip: bool = _option(False, "pairwise sigmoid loss (SigLIP) instead of softmax (CLIP)")
    local_loss: bool = _option(True, "each process computes the loss of its own rows only; same gradient, less memory")
    gather_with_grad: bool = _option(
        True, "gradient flows through gathered features; off, it is scaled by 1 / processes"
    )
    batch_size: int = _option(64, "pairs a process and micro-batch")
    accum_freq: int = _option(1, "micro-batches a step; the gradient is that of the whole batch")
    grad_cache: int | None = _option(None, "pairs that go through the model at once, where a micro-batch is too large")
    precision: str = _option("fp32", "fp32, bf16 or fp16 (autocast over fp32 weights)", choices=tuple(PRECISIONS))
    # Optimizer
    epochs: int = _option(32, "passes over the data")
    steps: int | None = _option(None, "optimizer steps, instead of epochs")
    lr: float = _option(5e-4, "highest learning rate")
    beta1: float = _option(0.9, "of AdamW")
    beta2: float = _option(0.98, "of AdamW")
    eps: float = _option(1e-6, "of AdamW")
    wd: float = _option(0.2, "weight decay; gains, biases and the logit scale have none")
    warmup: int = _option(10_000, "steps in which the learning rate rises")
    lr_scheduler: Literal["cosine", "const"] = _option("cosine", "what the learning rate does after that")
    grad_clip_norm: float | None = _option(None, "longest gradient")
    # Run
    name: str | None = _option(None, "of the run; a time stamp when not given")
    logs: str = _option("logs", "directory of runs: logs, checkpoints")
    seed: int = _option(0, "of weights, order and augmentation")
    device: Literal["auto", "cpu", "cuda"] = _option("auto", "what trains; auto is CUDA where there is one")
    save_every: str = _option("30m", "time (90s, 30m, 2h) or steps (2000) between checkpoints, or never")
    keep: int = _option(3, "checkpoints that stay")
    resume: str | None = _option(None, "`latest` of this name, or a checkpoint's directory")
    log_every: int = _option(10, "steps between two lines of log")
    report_to: str | None = _option(None, "tensorboard,wandb or none; TensorBoard where it is installed when not given")
    wandb_project_name: str = _option("biomedica", "of W&B")
    # Validation
    val_frequency: int = _option(1, "epochs between validations; 0 is at the end only")
    val_num_samples: int = _option(10_000, "pairs that are validated at most")
    eval_tasks: tuple[str, ...] = _option((), "tasks to be judged by: names, domains, or task files", metavar="TASK")
    eval_data_root: str | None = _option(None, "where the paths of the tasks' data begin")
    eval_every: int | None = _option(None, "steps between two rounds of the tasks; with each validation when not given")

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ValueError: An option is out of range.
        """
        positive = ("batch_size", "accum_freq", "epochs", "keep", "log_every", "train_num_samples", "val_num_samples")
        for name in (*positive, "steps", "eval_every", "grad_cache", "threads", "force_image_size", "grad_clip_norm"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} must be above zero, not {value}")
        for name in ("lr", "wd", "eps", "warmup", "seed", "val_frequency"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")
        for name in ("beta1", "beta2", "max_bad_fraction"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie between 0 and 1, not {getattr(self, name)}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision {self.precision!r} is none of {', '.join(PRECISIONS)}")
        if self.name is not None and (not self.name or "/" in self.name or self.name.startswith(".")):
            raise ValueError(f"name {self.name!r} is not the name of a directory")
        SaveEvery.parse(self.save_every)

    def total_batch(self, world_size: int) -> int:
        """Pairs a step takes over all processes."""
        return self.batch_size * world_size * self.accum_freq

    def to_json(self) -> dict[str, Any]:
        """Plain values, as `from_json` reads them."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Config":
        """A config of plain values; names that are not known are left out."""
        known = {item.name for item in dataclasses.fields(cls)}
        plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known}
        return cls(**plain)


# BMC-CLIP (BIOMEDICA, arXiv 2501.07171): ViT-L-14 from CommonPool weights, AdamW 1e-6 with betas 0.9 and 0.95, 1,000 steps
# of warm-up, FP32, gradients clipped at 1.0. Which of the three CommonPool tags, the weight decay and the schedule after
# the warm-up are not stated: the tag filtered by CLIP score, open_clip's 0.2 and cosine stand here.
# 1,024 pairs a GPU x 4 GPUs x 2 micro-batches = 8,192 pairs a step; on one GPU say --accum-freq 8.
_BMC_CLIP = Config(
    model="ViT-L-14",
    pretrained="commonpool_xl_clip_s13b_b90k",
    batch_size=1024,
    accum_freq=2,
    lr=1e-6,
    beta1=0.9,
    beta2=0.95,
    warmup=1000,
    precision="fp32",
    grad_clip_norm=1.0,
)
PRESETS: dict[str, Config] = {
    "bmc-clip-full": dataclasses.replace(_BMC_CLIP, epochs=9),  # 24 M pairs: 9 x 24,076,288 / 8,192 = 26,451 steps
    "bmc-clip-balanced": dataclasses.replace(_BMC_CLIP, epochs=27),  # about 8 M pairs: about 26,400 steps
    "bmc-clip-filtered": dataclasses.replace(_BMC_CLIP, epochs=36),  # about 6 M pairs: about 26,400 steps
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """An option for each field, and `--preset`. What is not given is not in the namespace."""
    parser.add_argument(
        "--preset", choices=tuple(PRESETS), default=argparse.SUPPRESS, help="defaults of the paper's runs"
    )
    hints = get_type_hints(Config)
    for item in dataclasses.fields(Config):
        extra = dict(item.metadata)
        flags = extra.pop("flags", (f"--{item.name.replace('_', '-')}",))
        shown = "" if item.default in (None, ()) else f" (default: {item.default})"
        extra["help"] = (extra["help"] + shown).replace("%", "%%")
        kind = hints[item.name]
        inner = next((k for k in get_args(kind) if k is not type(None)), kind)
        if kind is bool:
            extra["action"] = argparse.BooleanOptionalAction
        elif get_origin(kind) is tuple:
            extra = {"nargs": "+", "metavar": "SOURCE", **extra}
        elif get_origin(kind) is Literal:
            extra["choices"] = get_args(kind)
        else:
            extra["type"] = inner
            extra.setdefault("metavar", None if "choices" in extra else {int: "N", float: "X"}.get(inner, "TEXT"))
        parser.add_argument(*flags, dest=item.name, default=argparse.SUPPRESS, **extra)


def from_arguments(args: argparse.Namespace) -> Config:
    """The config of parsed arguments: the preset's values, then what was given."""
    known = {item.name for item in dataclasses.fields(Config)}
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in vars(args).items() if k in known}
    return dataclasses.replace(PRESETS.get(getattr(args, "preset", ""), Config()), **given)
