"""What a model says of images by the words of a task alone.

A class (Radford et al. 2021, "Learning Transferable Visual Models From Natural Language Supervision", 3.1.4) is the mean of
the unit features of its prompts in all templates, brought to length 1 again; so is an option of `choice`. An image is of
the class whose feature has the highest cosine with its own. Scores are cosines times the model's logit scale.
"""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from biomedica.evaluation import metrics
from biomedica.evaluation.predictions import Predictions
from biomedica.exceptions import EvaluationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from biomedica.evaluation.features import Cache
    from biomedica.evaluation.gather import Answers, Gathered
    from biomedica.evaluation.predictions import About
    from biomedica.evaluation.tasks import Task

    Floats = NDArray[np.float32]

__all__ = ["class_features", "zero_shot"]


def class_features(texts: Sequence[Sequence[str]], captions: "Cache[str]") -> "Floats":
    """A unit feature for each class: float32 [C, D].

    Args:
        texts: Of each class its prompts in all templates.
        captions: Makes features of texts.
    """
    features = captions.encode(chain.from_iterable(texts)).features
    ends = np.cumsum([len(one) for one in texts])
    means = np.stack([features[end - len(one) : end].mean(0) for end, one in zip(ends, texts, strict=True)])
    return _unit(means)


def zero_shot(
    about: "About",
    task: "Task",
    found: "Gathered",
    captions: "Cache[str]",
    logit_scale: float,
    put: Callable[[Any], Any] = np.asarray,
) -> Predictions:
    """What a model says of a task's images.

    Args:
        about: The model.
        task: The task.
        found: Its images' features, and what its data say of each.
        captions: Makes features of texts.
        logit_scale: What cosines are multiplied with.
        put: Takes blocks of features to where they are multiplied; see `metrics.ranks`.
    """
    answers, images = found.answers, found.features
    if task.kind == "retrieval":
        columns = _retrieval(answers, images, captions, put)
    elif task.kind == "choice":
        columns = _choice(task, answers, images, captions, logit_scale)
    else:
        scores = images @ class_features(task.texts(), captions).T * np.float32(logit_scale)
        return Predictions.of_scores(about, answers, [scores])
    return Predictions.of(about, {**Predictions.columns_of(answers), **columns})


def _choice(
    task: "Task", answers: "Answers", images: "Floats", captions: "Cache[str]", logit_scale: float
) -> dict[str, Any]:
    options = list(dict.fromkeys(chain.from_iterable(answers.options)))
    texts = [[template.replace("{}", option) for template in task.templates] for option in options]
    features = class_features(texts, captions)
    place = {option: at for at, option in enumerate(options)}
    scores = []
    for image, given in zip(images, answers.options, strict=True):
        scores.append((features[[place[option] for option in given]] @ image) * np.float32(logit_scale))
    return {"label": answers.labels, "predicted": [int(one.argmax()) for one in scores], "scores": scores}


def _retrieval(
    answers: "Answers", images: "Floats", captions: "Cache[str]", put: Callable[[Any], Any]
) -> dict[str, Any]:
    counts = np.array([len(one) for one in answers.options])
    texts = captions.encode(chain.from_iterable(answers.options)).features
    owner = np.repeat(np.arange(len(images)), counts)
    found = metrics.ranks(images, texts, owner, put=put)
    ends = np.cumsum(counts)
    by_image = [found.text_to_image[end - count : end] for end, count in zip(ends, counts, strict=True)]
    return {"image_to_text": found.image_to_text, "text_to_image": by_image}


def _unit(rows: "Floats") -> "Floats":
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise EvaluationError("the prompts of a class cancel each other out: its feature has no length")
    made: Floats = rows / lengths
    return made
