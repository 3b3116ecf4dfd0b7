"""Options that several commands of `edgeattend train` share, and what some of them may be.

Nothing heavy is imported here: the commands explain themselves without torch.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option(help="The run folder: every stage reads and writes here.")]
Data = Annotated[Path | None, typer.Option(help="DAiSEE's folder, the one that holds DataSet/ and Labels/.")]
Faces = Annotated[Path | None, typer.Option(help="Instead of --data: a folder that `render` filled with people.")]
Force = Annotated[bool, typer.Option("--force", help="Do it again, even if it is done and nothing has changed.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of everything random.")]
Quick = Annotated[bool, typer.Option("--quick", help="A short run to see that all works: one epoch, few ratios.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")]
Workers = Annotated[int | None, typer.Option(min=0, help="Processes that load images; by default up to 4.")]


class Split(StrEnum):
    """Who is in which part."""

    SUBJECT = "subject"
    OFFICIAL = "official"
    FRAMES = "frames"


class Precision(StrEnum):
    """Arithmetic while training: AUTO is float16 on CUDA and float32 on a CPU."""

    AUTO = "auto"
    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"


Arithmetic = Annotated[Precision, typer.Option(help="auto: float16 on CUDA, float32 on a CPU.")]
