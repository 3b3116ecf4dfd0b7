"""The commands `edgeattend train STAGE` and `python -m training STAGE`: options in, one stage called.

Every stage works in the run folder `--out`: what one leaves there the next one reads. Nothing heavy is imported
before a command needs it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from signaling.errors import ConfigInvalid, EdgeAttendError
from training.errors import TrainingFailed
from training.options import Arithmetic, Data, Device, Faces, Force, Out, Precision, Quick, Seed, Split, Workers

PER_CLASS = 5000
"""The reference's, of DAiSEE."""

RENDERED_CROP_SCALE = 1.25
"""Shows the whole chin and some hair, and leaves room for a box that is a little off."""

app = typer.Typer(
    help="From videos, or rendered people, to the model that a device runs. Stages, in order: prepare, fit, evaluate,"
    " quantize, prune, compare, export; `all` runs them one after the other. `render` makes the rendered people before"
    " them, `face` trains the face detector on them, `check` shows real ones to what came out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@contextmanager
def training_packages() -> Iterator[None]:
    """A missing package of the extra `train` as one sentence."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise TrainingFailed(
            f"expected the training packages, got no {error.name}: install them with"
            " `. scripts/environment train`, or pip install 'edgeattend[train]'"
        ) from error


@app.command(name="all")
def run_all(
    out: Out,
    data: Data = None,
    faces: Faces = None,
    split: Annotated[Split | None, typer.Option(help="As for prepare.")] = None,
    per_class: Annotated[int | None, typer.Option(min=3, help="As for prepare.")] = None,
    weights: Annotated[str, typer.Option(help="As for fit.")] = "auto",
    minutes: Annotated[float | None, typer.Option(min=0.1, help="As for fit, of rendered people.")] = None,
    browser_to: Annotated[Path | None, typer.Option(help="As for export.")] = None,
    device: Device = "auto",
    precision: Arithmetic = Precision.AUTO,
    quick: Quick = False,
    seed: Seed = 42,
    force: Force = False,
) -> None:
    """Every stage, one after the other; what is done already is left alone."""
    prepare(out, data=data, faces=faces, split=split, per_class=per_class, seed=seed, force=force)
    fit(
        out, weights=weights, minutes=minutes, device=device, precision=precision, quick=quick, seed=seed, force=force
    )  # fmt: skip
    evaluate(out, seed=seed, force=force)
    quantize(out, seed=seed, force=force)
    prune(out, device=device, precision=precision, quick=quick, seed=seed, force=force)
    compare(out, repeats=5 if quick else 50, force=force)
    export(out, browser_to=browser_to, force=force)


@app.command()
def prepare(
    out: Out,
    data: Data = None,
    faces: Faces = None,
    split: Annotated[
        Split | None,
        typer.Option(
            help="subject (default): nobody in two parts. official: DAiSEE's own folders."
            " frames: the reference's, frames at random; flatters."
        ),
    ] = None,
    per_class: Annotated[
        int | None, typer.Option(min=3, help="Images per class over all parts; 5000. Rendered faces: all there are.")
    ] = None,
    reference: Annotated[
        bool, typer.Option("--reference", help="The reference's order: balance and augment first, then split frames.")
    ] = False,
    reuse: Annotated[
        Path | None, typer.Option(help="Take the faces another run has cut from the same data: its run folder.")
    ] = None,
    crop_scale: Annotated[
        float | None,
        typer.Option(min=0.5, max=4.0, help="Side of the crop over the detector's box; 1, rendered faces 1.25."),
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; by default one per core.")] = None,
    seed: Seed = 42,
    force: Force = False,
) -> None:
    """Cut faces from DAiSEE's videos or from rendered images, and decide who is in which part."""
    if (data is None) == (faces is None):
        raise ConfigInvalid(f"expected either --data or --faces, got {'none' if data is None else 'both'} of them")
    if faces is not None:
        unfit = {"--split": split not in {None, Split.SUBJECT}, "--per-class": per_class, "--reference": reference,
                 "--reuse": reuse}  # fmt: skip
        for option in (name for name, given in unfit.items() if given):
            raise ConfigInvalid(
                f"expected {option} with --data only, got it with --faces: all images are used, by person"
            )
    with training_packages():
        if faces is not None:
            from training.faces.prepare import FacesConfig
            from training.faces.prepare import run as run_faces

            run_faces(
                FacesConfig(
                    faces=faces, out=out, crop_scale=crop_scale or RENDERED_CROP_SCALE, jobs=jobs, seed=seed,
                    force=force,
                )
            )  # fmt: skip
            return
        from training.prepare import PrepareConfig, run

        assert data is not None
        run(
            PrepareConfig(
                data=data, out=out, split=(split or Split.SUBJECT).value, per_class=per_class or PER_CLASS,
                reference=reference, reuse=reuse, crop_scale=crop_scale or 1.0, jobs=jobs, seed=seed, force=force,
            )
        )  # fmt: skip


@app.command()
def fit(
    out: Out,
    weights: Annotated[
        str,
        typer.Option(
            help="Where to start: imagenet (downloaded), none (from scratch), a file,"
            " or auto: imagenet where it can be downloaded, else none."
        ),
    ] = "auto",
    head_epochs: Annotated[int, typer.Option(min=0, help="Stage 1: the head alone.")] = 10,
    finetune_epochs: Annotated[int, typer.Option(min=0, help="Stage 2: the last 40 layers of the backbone.")] = 10,
    scratch_epochs: Annotated[
        int, typer.Option(min=0, help="Before stage 1, with --weights none only: everything, from scratch.")
    ] = 40,
    init: Annotated[
        Path | None, typer.Option(help="In place of --weights: a checkpoint of another run, such as its model, whole.")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Rendered people: of the network and of its guide; by default 40 and 36."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.1, help="Rendered people: in place of --epochs, as many as fit into this time."),
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=1e-8, help="Rendered people: the network's highest; by default 1.2e-3.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Over all processes; even for rendered people.")] = 32,
    device: Device = "auto",
    precision: Arithmetic = Precision.AUTO,
    workers: Workers = None,
    quick: Quick = False,
    seed: Seed = 42,
    force: Force = False,
) -> None:
    """Train AttentiveMobileNetV2: in the reference's stages (head, finetune), or on all that is known of rendered
    people, in one. Several GPUs or machines, for the former: by torchrun.
    """
    if init is not None and weights != "auto":
        raise ConfigInvalid(f"expected --init or --weights, got both: {init} and {weights}")
    with training_packages():
        from training.faces.pictures import has_pictures
        from training.fit import FitConfig, run

        if quick and has_pictures(out):
            epochs, minutes = 1, None
        elif quick:
            head_epochs = finetune_epochs = scratch_epochs = 1
        run(
            FitConfig(
                out=out, weights=weights, init=init, epochs=epochs, minutes=minutes, learning_rate=learning_rate,
                head_epochs=head_epochs, finetune_epochs=finetune_epochs, scratch_epochs=scratch_epochs,
                batch_size=batch_size, device=device, precision=precision.value, workers=workers, seed=seed,
                force=force,
            )
        )  # fmt: skip


@app.command()
def evaluate(
    out: Out,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples for the confidence intervals.")] = 1000,
    workers: Workers = None,
    seed: Seed = 42,
    force: Force = False,
) -> None:
    """Say how good the model is on people it has not seen, and how sure that is."""
    with training_packages():
        from training.evaluate import EvaluateConfig, run

        run(EvaluateConfig(out=out, bootstrap=bootstrap, workers=workers, seed=seed, force=force))


@app.command()
def check(
    faces: Annotated[Path, typer.Option(help="Real people, an .npz file: images, person, pose, sunglasses.")],
    model: Annotated[Path, typer.Option(help="The model that a device runs, with its card beside it.")],
    out: Annotated[Path | None, typer.Option(help="A JSON file for the numbers.")] = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples for the confidence intervals.")] = 1000,
    seed: Seed = 42,
) -> None:
    """Say how the finished model does on real faces. They are shown to the model alone: no picture is written."""
    with training_packages():
        from training.faces.real import RealConfig, run

        run(RealConfig(faces=faces, model=model, out=out, bootstrap=bootstrap, seed=seed))


@app.command()
def quantize(
    out: Out,
    calibration_images: Annotated[int, typer.Option(min=0, help="From the training part.")] = 256,
    seed: Seed = 42,
    force: Force = False,
) -> None:
    """INT8: the reference's FX graph mode, and ONNX as a device runs it."""
    with training_packages():
        from training.quantize import QuantizeConfig, run

        run(QuantizeConfig(out=out, calibration_images=calibration_images, seed=seed, force=force))


@app.command()
def prune(
    out: Out,
    ratios: Annotated[
        str | None, typer.Option(help="Shares to prune, 0.1 to 0.9 by default; such as 0.3,0.6,0.9.")
    ] = None,
    finetune_epochs: Annotated[int, typer.Option(min=1, help="Recovery training per ratio.")] = 3,
    learning_rate: Annotated[
        float | None,
        typer.Option(min=1e-8, help="Of the recovery training; by default the reference's 5e-5, rendered people 1e-3."),
    ] = None,
    device: Device = "auto",
    precision: Arithmetic = Precision.AUTO,
    workers: Workers = None,
    quick: Quick = False,
    seed: Seed = 42,
    force: Force = False,
) -> None:
    """Unstructured and structural pruning, each with and without fine-tuning, over many ratios."""
    with training_packages():
        from training.prune import PruneConfig, parse_ratios, run

        run(
            PruneConfig(
                out=out, ratios=parse_ratios(ratios, quick=quick), finetune_epochs=1 if quick else finetune_epochs,
                learning_rate=learning_rate, device=device, precision=precision.value, workers=workers, seed=seed,
                force=force,
            )
        )  # fmt: skip


@app.command()
def compare(
    out: Out,
    part: Annotated[str, typer.Option(help="val, as the reference, or test.")] = "test",
    repeats: Annotated[int, typer.Option(min=1, help="Timed rounds over all variants, interleaved.")] = 50,
    force: Force = False,
) -> None:
    """All variants side by side: accuracy, time, size, memory."""
    with training_packages():
        from training.compare import CompareConfig, run

        run(CompareConfig(out=out, part=part, repeats=repeats, force=force))


@app.command()
def export(
    out: Out,
    variant: Annotated[
        str | None, typer.Option(help="A variant of comparison.json; by default the best one for a device.")
    ] = None,
    to: Annotated[Path | None, typer.Option(help="Where to put attention.onnx; by default the run folder.")] = None,
    browser_to: Annotated[
        Path | None, typer.Option(help="Where to put the browsers' attention.onnx: the same network in FP32.")
    ] = None,
    force: Force = False,
) -> None:
    """Write the model that `edgeattend join --model` runs, with its card."""
    with training_packages():
        from training.export import ExportConfig, run

        run(ExportConfig(out=out, variant=variant, to=to, browser_to=browser_to, force=force))


@app.command()
def face(
    out: Out,
    to: Annotated[
        list[Path] | None, typer.Option(help="Where to put face.onnx besides the run folder's face/; again for more.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of 32 scenes each.")] = 20_000,
    init: Annotated[
        Path | None, typer.Option(help="Start from another run's face/network.pth instead of from scratch.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes that cut people out; by default one per core.")
    ] = None,
    quick: Quick = False,
    seed: Seed = 42,
    force: Force = False,
) -> None:
    """Rendered people: train the face detector that peers and browsers run before the attention model."""
    with training_packages():
        from training.face import FaceConfig, run

        run(
            FaceConfig(out=out, to=to or (), steps=20 if quick else steps, init=init, jobs=jobs, seed=seed, force=force)
        )


@app.command()
def render(
    assets: Annotated[Path, typer.Option(help="MakeHuman's CC0 assets; docs/training.md says where they come from.")],
    out: Annotated[Path, typer.Option(help="Folder of the images and truth.jsonl; added to, never overwritten.")],
    count: Annotated[int, typer.Option(min=1, help="Images; four of each person.")] = 8000,
    start: Annotated[int, typer.Option(min=0, help="Number of the first image; another number, other people.")] = 0,
    jobs: Annotated[int | None, typer.Option(min=1, help="Blender processes; by default one per core.")] = None,
) -> None:
    """Render people who do not exist, with exact truth (needs `. scripts/environment faces`)."""
    from training.faces.render import RenderConfig, run

    run(RenderConfig(assets=assets, out=out, count=count, start=start, jobs=jobs))


@app.command()
def clips(
    assets: Annotated[Path, typer.Option(help="As for render.")],
    out: Annotated[Path, typer.Option(help="Folder of NAME.mp4 and NAME.json.")],
    only: Annotated[list[str] | None, typer.Option(help="A clip's name; again for more.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Blender processes; by default one per core.")] = None,
) -> None:
    """Film the demo's people (needs `. scripts/environment faces`; half an hour)."""
    from training.faces.render import check_blender

    check_blender()
    from training.faces.clips import ClipsConfig, run

    run(ClipsConfig(assets=assets, out=out, only=tuple(only) if only else None, jobs=jobs))


@app.command()
def sample(
    faces: Annotated[Path, typer.Option(help="Rendered faces, as `render` writes them.")],
    out: Annotated[Path, typer.Option(help="The new DAiSEE-shaped folder.")],
    persons: Annotated[int, typer.Option(min=1, help="Rendered people, spread over the three parts.")] = 48,
    clips: Annotated[int, typer.Option(min=1, help="Videos of each person.")] = 4,
    seconds: Annotated[float, typer.Option(min=0.2, help="Length of each video.")] = 2.0,
    fps: Annotated[int, typer.Option(min=5, max=60, help="Frames per second of each video.")] = 15,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; by default one per core.")] = None,
    seed: Seed = 42,
) -> None:
    """Make videos of rendered people in DAiSEE's shape, to try the pipeline on where DAiSEE is not."""
    with training_packages():
        from training.sample import SampleConfig, run

        run(
            SampleConfig(
                faces=faces, out=out, persons=persons, clips=clips, seconds=seconds, fps=fps, seed=seed, jobs=jobs
            )
        )


def main() -> None:
    """Entry point of `python -m training`: 0 fine, 1 failed, 2 wrong usage."""
    try:
        app(prog_name="python -m training")
    except EdgeAttendError as error:
        typer.echo(f"training: {error.message}", err=True)
        sys.exit(2 if isinstance(error, ConfigInvalid) else 1)
