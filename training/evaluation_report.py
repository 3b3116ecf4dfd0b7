"""`report.md`: what was found out, in words and tables, for people."""

from __future__ import annotations

from collections.abc import Sequence

from training.bootstrap import LEVEL
from training.evaluation import Evaluation, Scores
from training.metrics import BINS, METRIC_TITLES, classification_report, confusion
from training.tabular import markdown_table

BASELINE_TITLES = {"always_attentive": 'Always "attentive"', "majority": 'Always "not attentive" (majority)'}
MISSING = "–"
MOST_NAMES = 20
"""People listed by name; per_person.csv has all."""


def report(evaluation: Evaluation, conditions: Sequence[str] = ()) -> str:
    """The report as Markdown. `conditions`: paragraphs about rendered people, where there are any."""
    sections = (
        "# Evaluation",
        _what(evaluation),
        "## Metrics on the test part",
        _metrics_table(evaluation),
        _explanation(evaluation),
        "## Classification report",
        f"At the chosen threshold, {evaluation.calibration.threshold:.4f}.",
        _classification_table(evaluation),
        "![Confusion matrices](confusion.png)",
        _confusion_table(evaluation),
        "![ROC curve](roc.png) ![Precision and recall](pr.png)",
        "## People",
        _people(evaluation),
        "![Accuracy of each person](per_person.png)",
        "## Temperature and threshold",
        _calibration(evaluation),
        "![Reliability](reliability.png)",
        *conditions,
        "## Where the model looks",
        "![Right and wrong decisions with Grad-CAM](gradcam.jpg)",
        "What in each face spoke for the decision it got, from the last convolution's 5x5 map (Selvaraju et al.,"
        " ICCV 2017): it shows roughly where, never why. Heat away from the face means that the model has learnt"
        " something else than attentiveness.",
    )
    return "\n\n".join(sections) + "\n"


def _what(evaluation: Evaluation) -> str:
    test, validation = evaluation.test, evaluation.validation
    text = (
        f"`attentive_model.pth` on the test part of the split `{evaluation.split}`: {len(test.samples):,} images of"
        f" {len(evaluation.persons)} people, {test.labels.mean():.1%} of them attentive. Temperature and threshold"
        f" were chosen on the validation part alone: {len(validation.samples):,} images of"
        f" {len(set(validation.persons))} people."
    )
    if not evaluation.known_persons:
        return text + " Nobody of the test part is in the training part."
    return (
        f"{text}\n\n**Warning: {len(evaluation.known_persons)} of the {len(evaluation.persons)} people of the test part"
        " are in the training part too.** The model has seen their faces; these numbers do not say how it does on new"
        " people. `prepare --split subject` does."
    )


def _metrics_table(evaluation: Evaluation) -> str:
    trained, calibrated = evaluation.trained, evaluation.calibrated
    interval = f"{LEVEL:.0%} interval"
    header = [
        "Metric", "As trained: threshold 0.5", interval,
        f"As on a device: temperature {calibrated.calibration.temperature:.3f},"
        f" threshold {calibrated.calibration.threshold:.4f}", interval,
        *(BASELINE_TITLES[name] for name in evaluation.baselines),
    ]  # fmt: skip
    rows = [
        [
            title,
            f"{trained.metrics[name]:.4f}", _bounds(trained, name),
            f"{calibrated.metrics[name]:.4f}", _bounds(calibrated, name),
            *(_number(baseline.get(name)) for baseline in evaluation.baselines.values()),
        ]
        for name, title in METRIC_TITLES.items()
    ]  # fmt: skip
    return markdown_table(header, rows)


def _bounds(scores: Scores, metric: str) -> str:
    if metric not in scores.intervals.bounds:
        return MISSING
    low, high = scores.intervals.bounds[metric]
    return f"{low:.4f} to {high:.4f}"


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.4f}"


def _explanation(evaluation: Evaluation) -> str:
    intervals = evaluation.calibrated.intervals
    if intervals.bounds:
        how = (
            f"Intervals: the middle {LEVEL:.0%} of {intervals.resamples:,} draws of people with replacement, each with"
            " all their images (cluster bootstrap, Field & Welsh 2007). That of ECE is moved down by as much as"
            " drawing raises it: the noise that it adds to the bins counts as error"
        )
        how += f". Note: {intervals.note}." if intervals.note else "."
    else:
        how = f"{intervals.note}.".capitalize()
    share = evaluation.test.labels.mean()
    majority = (
        "" if "majority" in evaluation.baselines
        else " The not attentive are no majority of the training images, so a majority baseline would say the same."
    )  # fmt: skip
    return (
        f"{how}\n\nSingle images: a device averages several before it decides. Precision, recall and F1 are those of"
        f' "attentive". PR-AUC is the average precision. ECE has {BINS} equal bins of the probability of "attentive"'
        " (Guo et al. 2017). A baseline always says the same, so it has no probabilities to judge."
        f"{majority}\n\nAccuracy, precision, F1, PR-AUC, loss and ECE are those of a part with {share:.0%} attentive"
        " images: they are others where people are attentive more often or less. Recall, specificity, balanced accuracy"
        " and ROC-AUC do not depend on it."
    )


def _classification_table(evaluation: Evaluation) -> str:
    test = evaluation.test
    rows = classification_report(test.labels, test.predicted(evaluation.calibration))
    return markdown_table(
        ["Class", "Precision", "Recall", "F1-Score", "Support"],
        [
            [name, *(f"{row[column]:.4f}" for column in ("precision", "recall", "f1-score")), f"{row['support']:.0f}"]
            for name, row in rows.items()
        ],
    )


def _confusion_table(evaluation: Evaluation) -> str:
    matrix = confusion(evaluation.test.labels, evaluation.test.predicted(evaluation.calibration)).tolist()
    names = ("not attentive", "attentive")
    return markdown_table(
        ["Images that are", *(f"called {name}" for name in names)],
        [[name, *map(str, row)] for name, row in zip(names, matrix, strict=True)],
    )


def _people(evaluation: Evaluation) -> str:
    spread = evaluation.spread
    titles = ("Lowest", "Lower quartile", "Median", "Upper quartile", "Highest")
    table = markdown_table(
        ["Accuracy per person", *titles],
        [[f"{len(evaluation.persons)} people", *(f"{v:.4f}" for v in spread.values())]],
    )
    below, chance = evaluation.below_baseline, evaluation.at_chance
    return (
        f'{table}\n\nBelow always saying "attentive" on the same images: {_named(below)}. No better than a coin'
        f" (balanced accuracy at most 0.5; people of both classes only): {_named(chance)}. All people are in"
        " [per_person.csv](per_person.csv), the worst first."
    )


def _named(persons: Sequence[str]) -> str:
    if not persons:
        return "nobody"
    names = ", ".join(persons[:MOST_NAMES]) + (", …" if len(persons) > MOST_NAMES else "")
    return f"{len(persons)} ({names})"


def _calibration(evaluation: Evaluation) -> str:
    calibration = evaluation.calibration
    columns = (
        ("Validation", evaluation.validation_before, evaluation.validation_after),
        ("Test", evaluation.trained.metrics, evaluation.calibrated.metrics),
    )
    rows = [
        [title, METRIC_TITLES[name], f"{before[name]:.4f}", f"{after[name]:.4f}"]
        for title, before, after in columns
        for name in ("loss", "ece", "balanced_accuracy", "accuracy")
    ]
    bound = (
        " **It is at the end of the range that is searched**: the validation part has too few errors, or nothing but,"
        " to say how sure the model may be; validate on more people."
        if evaluation.at_the_bound
        else ""
    )
    sure = "less" if calibration.temperature > 1 else "more"
    return (
        f"The temperature, {calibration.temperature:.4f}, has the least cross-entropy on the validation part; dividing"
        f" logits by it makes the model {sure} sure of itself and changes no ranking.{bound} The threshold,"
        f" {calibration.threshold:.4f}, on the probability after it, has the best balanced accuracy on the validation"
        " part; among equals the one nearest to 0.5 was taken. Test images had no part in either.\n\n"
        + markdown_table(["Part", "Metric", "As trained", "As on a device"], rows, words=(0, 1))
    )
