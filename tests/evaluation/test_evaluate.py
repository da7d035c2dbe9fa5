"""What models are said to reach at tasks is what open_clip, CLIP_benchmark and scikit-learn compute from the same features."""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pyarrow.parquet as pq
import pytest
import torch
from clip_benchmark.metrics.zeroshot_classification import average_precision_per_class, zero_shot_classifier
from clip_benchmark.metrics.zeroshot_retrieval import recall_at_k
from PIL import Image
from sklearn import metrics as sklearn_metrics

import biomedica as bm
from biomedica.evaluation.predictions import Predictions, read_predictions
from biomedica.exceptions import EvaluationError, ModelError, TaskError

MakeTask = Callable[..., Path]
Rows = dict[str, list[Any]]
TEMPLATES = ["a {} image", "a drawing in {}."]
TEXT = f"templates = {json.dumps(TEMPLATES)}"
NAMES = ["red", "green", "blue"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIOMEDICA_CACHE", str(tmp_path / "cache"))


class Reference:
    """The same model in open_clip's own hands."""

    def __init__(self, nano: str) -> None:
        path = Path(nano.removesuffix("@random"))
        open_clip.add_model_config(path)
        torch.manual_seed(0)
        self.model = open_clip.create_model(path.stem)
        self.model.eval()
        self.tokenizer = open_clip.get_tokenizer(path.stem)
        config = open_clip.transform.PreprocessCfg(**self.model.visual.preprocess_cfg)
        self.transform = open_clip.transform.image_transform_v2(config, is_train=False)

    def images(self, rows: Rows) -> torch.Tensor:
        pixels = torch.stack([self.transform(Image.open(io.BytesIO(image))) for image in rows["image"]])
        with torch.no_grad():
            found: torch.Tensor = self.model.encode_image(pixels, normalize=True)
        return found

    def texts(self, texts: list[str]) -> torch.Tensor:
        with torch.no_grad():
            found: torch.Tensor = self.model.encode_text(self.tokenizer(texts), normalize=True)
        return found


def _scores(found: bm.Evaluation, model: str) -> dict[str, float]:
    return {score.metric: score.value for score in found.scores if score.model == model}


def test_zero_shot_is_that_of_open_clip_and_clip_benchmark(
    tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows
) -> None:
    task = make_task("own", colours, text=TEXT, data='label = "label"\ngroup = "patient"')
    found = bm.evaluate({"tiny": nano}, tmp_path / "out", tasks=task)
    reference = Reference(nano)
    classifier = open_clip.build_zero_shot_classifier(
        reference.model, reference.tokenizer, NAMES, [lambda c, t=t: t.format(c) for t in TEMPLATES], device="cpu"
    )
    theirs = [template.replace("{}", "{c}") for template in TEMPLATES]
    same = zero_shot_classifier(reference.model, reference.tokenizer, NAMES, theirs, "cpu", amp=False)
    logits = reference.images(colours) @ classifier * reference.model.logit_scale.exp()
    said = read_predictions(tmp_path / "out", "tiny", "own")
    assert np.abs(classifier.numpy() - same.numpy()).max() < 1e-6
    assert np.abs(said.scores() - logits.detach().numpy()).max() < 1e-4
    assert said.numbers("predicted").tolist() == logits.argmax(1).tolist()
    assert said.table["image_hash"].to_pylist() == [hashlib.sha256(image).hexdigest() for image in colours["image"]]

    labels, predicted = said.numbers("label"), said.numbers("predicted")
    share = torch.softmax(torch.tensor(said.scores()).double(), 1).numpy()
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(labels, predicted),
        "macro_f1": sklearn_metrics.f1_score(labels, predicted, average="macro"),
        "auroc": sklearn_metrics.roc_auc_score(labels, share, multi_class="ovr"),
    }
    values = _scores(found, "tiny")
    for metric, value in expected.items():
        assert values[metric] == pytest.approx(value, abs=1e-6), metric
    assert "accuracy@5" not in values  # three classes
    primary = found.primary("tiny", "own")
    assert primary is not None
    assert primary.metric == "accuracy"
    assert primary.units == 20  # groups, not images
    assert primary.low is not None
    assert primary.high is not None
    assert primary.low <= primary.value <= primary.high
    assert found.tasks[0].chance == pytest.approx(1 / 3)
    assert dict(found.tasks[0].classes) == {"red": 20, "green": 20, "blue": 20}
    assert found.tasks[0].split_sha256 == bm.tasks(task, check=True)[0].split.sha256  # type: ignore[union-attr]
    assert bm.Evaluation.read(tmp_path / "out") == found


def test_options_are_chosen_among_those_of_the_image(
    tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows
) -> None:
    options = [
        NAMES if number % 2 else NAMES[::-1][:2] + ["yellow", NAMES[number % 3]][: 1 + number % 3]
        for number in range(60)
    ]
    options = [list(dict.fromkeys([*own, label])) for own, label in zip(options, colours["label"], strict=True)]
    rows = {**colours, "options": options}
    task = make_task("own", rows, "choice", TEXT, 'label = "label"\noptions = "options"')
    found = bm.evaluate({"tiny": nano}, tmp_path / "out", tasks=task)
    reference = Reference(nano)
    images = reference.images(rows)
    right = []
    for image, own, label in zip(images, options, colours["label"], strict=True):
        means = [
            torch.nn.functional.normalize(reference.texts([t.format(o) for t in TEMPLATES]).mean(0), dim=0) for o in own
        ]
        right.append(own[int((torch.stack(means) @ image).argmax())] == label)
    assert _scores(found, "tiny")["accuracy"] == pytest.approx(np.mean(right))
    assert found.tasks[0].chance == pytest.approx(np.mean([1 / len(own) for own in options]))


def test_several_labels_are_judged_by_area_and_average_precision(
    tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows
) -> None:
    labels = [[NAMES[i] for i in range(3) if (number >> i) & 1] for number in range(60)]
    rows = {**colours, "labels": labels}
    task = make_task("own", rows, "multilabel", TEXT, 'label = "labels"')
    found = bm.evaluate({"tiny": nano}, tmp_path / "out", tasks=task)
    said = read_predictions(tmp_path / "out", "tiny", "own")
    has = np.array([[name in own for name in NAMES] for own in labels])
    assert (said.has() == has).all()
    values = _scores(found, "tiny")
    theirs = average_precision_per_class(torch.tensor(said.scores()), torch.from_numpy(has).float())
    assert values["average_precision"] == pytest.approx(float(theirs.mean()), abs=1e-6)
    assert values["auroc"] == pytest.approx(sklearn_metrics.roc_auc_score(has, said.scores()), abs=1e-6)


def test_retrieval_is_that_of_clip_benchmark(tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows) -> None:
    captions = [
        [f"drawing {number}", f"a {label} one, {number}"][: 1 + number % 2]
        for number, label in enumerate(colours["label"])
    ]
    rows = {**colours, "captions": captions}
    task = make_task("own", rows, "retrieval", data='captions = "captions"\ngroup = "patient"')
    found = bm.evaluate({"tiny": nano}, tmp_path / "out", tasks=task)
    reference = Reference(nano)
    texts = reference.texts([text for own in captions for text in own])
    owner = torch.tensor([number for number, own in enumerate(captions) for _ in own])
    scores = texts @ reference.images(rows).T
    positive = torch.zeros_like(scores, dtype=torch.bool)
    positive[torch.arange(len(scores)), owner] = True
    values = _scores(found, "tiny")
    for k in (1, 5, 10, 50):
        to_image = (recall_at_k(scores, positive, k) > 0).float().mean().item()
        to_text = (recall_at_k(scores.T, positive.T, k) > 0).float().mean().item()
        assert values[f"text_to_image_recall@{k}"] == pytest.approx(to_image, abs=1e-6)
        assert values[f"image_to_text_recall@{k}"] == pytest.approx(to_text, abs=1e-6)
        assert values[f"recall@{k}"] == pytest.approx((to_image + to_text) / 2, abs=1e-6)
    assert "recall@100" not in values  # 60 images
    shown = pq.read_table(tmp_path / "out" / "examples.parquet").to_pylist()
    assert len(shown) == 8
    assert [row["rank"] for row in shown] == sorted(row["rank"] for row in shown)
    assert all(len(row["said"]) == 3 and Image.open(io.BytesIO(row["image"])).format == "JPEG" for row in shown)


def test_features_are_made_once_whatever_the_prompts(
    tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows
) -> None:
    same = {**colours, "key": [f"other-{key}" for key in colours["key"]]}
    tasks = [
        make_task("one", colours, data='label = "label"'),
        make_task("two", same, text=TEXT, data='label = "label"'),
    ]
    found = bm.evaluate(nano, tmp_path / "out", tasks=tasks)
    assert [cost.encoded for cost in found.costs] == [60, 0]
    again = bm.evaluate(nano, tmp_path / "again", tasks=tasks)
    assert [cost.encoded for cost in again.costs] == [0, 0]
    assert again.scores == found.scores
    other = bm.evaluate(nano, tmp_path / "other", tasks=tasks, seed=1)  # other random weights
    assert [cost.encoded for cost in other.costs] == [60, 0]
    without = bm.evaluate(nano, tmp_path / "without", tasks=tasks, cache=False)
    assert [cost.encoded for cost in without.costs] == [60, 0]


def test_models_are_compared_and_tasks_averaged(tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows) -> None:
    tasks = [make_task(name, colours, text=TEXT, data='label = "label"\ngroup = "patient"') for name in ("one", "two")]
    found = bm.evaluate([f"a={nano}", f"b={nano}"], tmp_path / "out", tasks=tasks)
    assert [(c.task, c.domain, c.difference, c.p_holm) for c in found.comparisons] == [
        ("one", None, 0, 1), ("two", None, 0, 1), (None, "colours", 0, 1),
    ]  # fmt: skip
    assert [(one.model, one.domain, one.tasks) for one in found.averages] == [
        ("a", "colours", 2), ("b", "colours", 2),
    ]  # fmt: skip
    primary = found.primary("a", "one")
    assert primary is not None
    assert found.averages[0].value == pytest.approx(primary.value)


def test_a_metric_that_is_not_defined_is_in_no_average(
    tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows
) -> None:
    without = {name: [one for one, label in zip(column, colours["label"], strict=True) if label != "blue"]
               for name, column in colours.items()}  # fmt: skip
    tasks = [
        make_task("all", colours, data='label = "label"'),
        make_task("some", without, text='metric = "auroc"', data='label = "label"'),
    ]
    found = bm.evaluate([f"a={nano}", f"b={nano}"], tmp_path / "out", tasks=tasks)
    assert found.primary("a", "some") is None
    assert {one.task for one in found.comparisons} == {"all"}
    assert found.averages == ()


def test_averages_over_domains_are_of_all_tasks(tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows) -> None:
    tasks = [make_task(name, colours, data='label = "label"') for name in ("one", "two", "three")]
    tasks[2].write_text(tasks[2].read_text("utf-8").replace('domain = "colours"', 'domain = "shades"'), "utf-8")
    found = bm.evaluate({"a": nano}, tmp_path / "out", tasks=tasks)
    assert [(one.domain, one.tasks) for one in found.averages] == [("", 3), ("colours", 2), ("shades", 1)]


def test_what_is_missing_damaged_or_partial_is_told_and_not_averaged(
    tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows
) -> None:
    good = make_task("good", colours, data='label = "label"')
    gone = make_task("gone", colours, data='label = "label"')
    (gone.with_suffix(".parquet")).unlink()
    damaged = make_task("damaged", {**colours, "label": ["mauve"] * 60}, data='label = "label"')
    partial = make_task("partial", {**colours, "image": [b"GIF89a", *colours["image"][1:]]}, data='label = "label"')
    every = [good, gone, damaged, partial]
    found = bm.evaluate(nano, tmp_path / "out", tasks=every)
    assert {task.name: task.state for task in found.tasks} == {
        "good": "evaluated", "gone": "missing", "damaged": "damaged", "partial": "partial",
    }  # fmt: skip
    reasons = {task.name: str(task.reason) for task in found.tasks}
    assert "How to get the data: draw it" in reasons["gone"]
    assert "mauve" in reasons["damaged"]
    assert "1 of 60 images cannot be decoded (k00)" in reasons["partial"]
    assert {score.task for score in found.scores} == {"good"}
    assert found.averages == ()
    told = bm.evaluate(nano, tmp_path / "out", tasks=every, partial=True)
    assert told.task("partial").state == "evaluated"
    assert (told.task("partial").items, told.task("partial").unreadable) == (59, 1)
    assert [(one.domain, one.tasks) for one in told.averages] == [("colours", 2)]
    with pytest.raises(EvaluationError, match="no task can be evaluated:\ngone"):
        bm.evaluate(nano, tmp_path / "none", tasks=gone)


def test_what_an_earlier_evaluation_left_is_replaced(
    tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows
) -> None:
    tasks = [make_task(name, colours, data='label = "label"') for name in ("one", "two")]
    bm.evaluate({"old": nano}, tmp_path / "out", tasks=tasks)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    bm.evaluate({"new": nano}, tmp_path / "out", tasks=tasks[0])
    left = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    expected = {"evaluation.json", "examples.parquet", "notes.txt", Predictions.path("new", "one", "zero-shot")}
    assert left >= expected
    assert not any("old" in name or "two" in name for name in left)


def test_an_earlier_evaluation_stands_until_the_next_has_a_model(
    tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows
) -> None:
    task = make_task("one", colours, data='label = "label"')
    found = bm.evaluate({"old": nano}, tmp_path / "out", tasks=task)
    with pytest.raises(ModelError):
        bm.evaluate("ViT-B-32@nothing", tmp_path / "out", tasks=task)
    assert bm.Evaluation.read(tmp_path / "out") == found


def test_models_and_tasks_that_are_none_are_refused(
    tmp_path: Path, nano: str, make_task: MakeTask, colours: Rows
) -> None:
    task = make_task("one", colours, data='label = "label"')
    for models, kind, message in (
        ([], ValueError, "no model"),
        ([nano, nano], ValueError, "put NAME= before"),
        (["x/y=z@q"], ModelError, "not known"),
        (["../x=biomedica-tiny@random"], ModelError, "not known"),
        ([".x=biomedica-tiny@random"], ValueError, "begins with none"),
        ([str(tmp_path)], ModelError, "no whole checkpoint"),
        (["nowhere"], ModelError, "ARCHITECTURE@WEIGHTS"),
        (["ViT-B-32@nothing"], ModelError, "no such file, and no tag"),
    ):
        with pytest.raises(kind, match=message):
            bm.evaluate(models, tmp_path / "out", tasks=task)
    with pytest.raises(TaskError, match="there is no task"):
        bm.evaluate(nano, tmp_path / "out", tasks="nothing")
    for options in ({"draws": 0}, {"level": 1.0}, {"batch_size": 0}, {"examples": -1}):
        with pytest.raises(ValueError, match="must be"):
            bm.evaluate(nano, tmp_path / "out", tasks=task, **options)
