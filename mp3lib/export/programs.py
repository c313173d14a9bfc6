"""To programs that run without this library: ONNX, and the exported program of PyTorch (``torch.export``)."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ..arguments import truth, whole
from ..model import MP3, ViT, record_attention, sample_context
from ..model.checking import with_positions
from ..model.randomness import random_state_kept
from ..paths import check_target, written_beside
from .checking import as_float32, check_same, needed, prepared, sample_images, vit_of

if TYPE_CHECKING:
    import torch.export

MOST_BYTES = 2 * 10**9  # of one ONNX file
ABOUT = "mp3lib.json"  # the further file in an exported program
BATCHES = (1, 2, 3)  # with which a program is compared


class Program(nn.Module):
    """A model as a function of tensors, in float32 on the CPU and in eval mode, with outputs in a fixed order."""

    def __init__(self, model: MP3 | ViT, pos_emb: bool | None, num_context: int | None, attention: bool):
        super().__init__()
        vit_of(model)  # refuses what is none of ours
        self.model = as_float32(model)
        self.pos_emb, self.attention = with_positions(self.vit, pos_emb), truth("attention", attention)
        n = self.vit.num_patches
        if isinstance(model, MP3):
            usual = n - int(model.masking_ratio * n)
            self.num_context = usual if num_context is None else whole("num_context", num_context, 1, n)
        elif num_context is not None:
            raise ValueError(f"num_context={num_context} is for an MP3; a ViT attends to all patches")
        if self.attention and not len(self.vit.transformer.layers):
            raise ValueError("attention=True needs layers, and this model has a depth of 0")
        self.eval()

    @property
    def vit(self) -> ViT:
        return self.model.vit if isinstance(self.model, MP3) else self.model

    @property
    def inputs(self) -> list[str]:
        return ["images", "context"] if isinstance(self.model, MP3) else ["images"]

    @property
    def shapes(self) -> dict[str, dict]:
        """Of the inputs, for the exporters: a batch of any size."""
        batch = torch.export.Dim("batch", min=1)
        return {name: {0: batch} for name in self.inputs}

    @property
    def outputs(self) -> list[str]:
        names = ["logits", "loss"] if isinstance(self.model, MP3) else ["logits", "features"]
        return names + ["attention"] * self.attention

    def examples(self, batch: int) -> tuple[Tensor, ...]:
        """Inputs for a comparison, the same each time."""
        images = sample_images(self.vit, batch)
        if not isinstance(self.model, MP3):
            return (images,)
        draw = torch.Generator().manual_seed(0)
        context, _ = sample_context(batch, self.vit.num_patches, 0.0, generator=draw)
        return images, context[:, : self.num_context].contiguous()

    def forward(self, images: Tensor, context: Tensor | None = None) -> tuple[Tensor, ...]:
        if context is not None:
            found = self.model.predict(images, context, with_attention=self.attention)
            return (found.logits, found.loss, found.attn)[: len(self.outputs)]
        if not self.attention:
            return self.of_images(images)
        with record_attention(self.model) as layers:
            found = self.of_images(images)
        return *found, torch.stack(layers)

    def of_images(self, images: Tensor) -> tuple[Tensor, Tensor]:
        pooled = self.model.features(images, self.pos_emb).pooled
        return self.model.linear_head(self.model.to_latent(pooled)), pooled


def to_torch_export(
    model: MP3 | ViT, *, pos_emb: bool | None = None, num_context: int | None = None, attention: bool = False
) -> torch.export.ExportedProgram:
    """A model as an exported program of PyTorch, whose ``module()`` runs without this library.

    Args:
        model: a ``ViT``, or an ``MP3`` for ``predict`` with a given context.
        pos_emb: of a ViT, whether position embeddings are added; default: ``vit.pos_emb``, as it was trained.
        num_context: of an MP3, the number k of patches in the context; default: by its masking ratio.
        attention: whether the attention weights of all layers are an output as well.

    Returns:
        a program for batches of any size b. Of a ViT: images (b, c, H, W) float32 in [-1, 1] -> logits
        (b, num_classes), features (b, d). Of an MP3: images and context (b, k) int64 -> logits (b, n, n) and loss
        (b, n). Behind them attention (depth, b, h, n, n or k), if asked for. It is compared with the model for three
        sizes of a batch.

    Raises:
        ValueError: for another model, weights that are not finite, arguments that do not fit, and if the outputs differ
            by more than 1e-5.
    """
    return exported(Program(model, pos_emb, num_context, attention))


def exported(program: Program) -> torch.export.ExportedProgram:
    """The program of PyTorch, compared with the model."""
    with random_state_kept(), torch.no_grad():
        result = torch.export.export(program, program.examples(2), dynamic_shapes=program.shapes)
    compared(program, result.module())
    return result


def compared(program: Program, other: nn.Module) -> float:
    """The largest difference of the outputs of another program; ``ValueError`` if it is above the tolerance."""
    with torch.no_grad():
        inputs = [program.examples(batch) for batch in BATCHES]
        return max(check_same(program(*each), other(*each)) for each in inputs)


def save_torch_export(
    model: MP3 | ViT,
    file: str | Path,
    *,
    pos_emb: bool | None = None,
    num_context: int | None = None,
    attention: bool = False,
) -> float:
    """Write an exported program: ``torch.export.load(FILE).module()(images)`` runs it without this library.

    Its file ``mp3lib.json`` holds what the metadata of ``save_onnx`` do.

    Args:
        model, pos_emb, num_context, attention: as in ``to_torch_export``.
        file: its name ends in ``.pt2``; one that this function wrote is replaced.

    Returns:
        the largest difference between the outputs of the file, read again, and of the model.

    Raises:
        OSError: if the disk is full.
        ValueError: as ``to_torch_export``, for a name that ends otherwise, and for a file of somebody else.
    """
    file = check_target(file, ".pt2", ours=is_program)
    program = Program(model, pos_emb, num_context, attention)
    result = exported(program)
    with written_beside(file) as beside:
        held = io.BytesIO()  # PyTorch's own writer of files ends the process where the disk is full
        torch.export.save(result, held, extra_files={ABOUT: json.dumps(about(program))})
        beside.write_bytes(held.getbuffer())
        return compared(program, torch.export.load(beside).module())


def is_program(file: Path) -> bool:
    """Whether ``save_torch_export`` wrote this file."""
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith(ABOUT) for name in archive.namelist())


def save_onnx(
    model: MP3 | ViT,
    file: str | Path,
    *,
    pos_emb: bool | None = None,
    num_context: int | None = None,
    attention: bool = False,
) -> float:
    """Write an ONNX file, with inputs and outputs named as in ``to_torch_export`` and a batch of any size.

    Its metadata tell how images are prepared, which of their values became 0 and 255 in training (``value_range``, if
    they had other values than 0 to 255), and the names of the classes.

    Args:
        model, pos_emb, num_context, attention: as in ``to_torch_export``.
        file: its name ends in ``.onnx``; one that this function wrote is replaced.

    Returns:
        the largest difference between the outputs of the file in ONNX Runtime and of the model.

    Raises:
        ImportError: if onnx, onnxscript or onnxruntime is not installed.
        OSError: if the disk is full.
        ValueError: as ``to_torch_export``, for a name that ends otherwise, for a file of somebody else, and for a model
            of more than 2 GB.
    """
    program = Program(model, pos_emb, num_context, attention)
    packages = {"onnx": "onnx", "onnxscript": "onnxscript", "onnxruntime": "onnxruntime"}
    onnx, _, runtime = needed("an ONNX file", packages)

    def ours(file: Path) -> bool:
        texts = {text.key for text in onnx.load(file, load_external_data=False).metadata_props}
        return {"images", "inputs", "outputs", "config"} <= texts

    file = check_target(file, ".onnx", ours=ours)
    if (size := sum(4 * p.numel() for p in program.parameters())) > MOST_BYTES:
        raise ValueError(f"the weights take {size / 1e9:.1f} GB, and an ONNX file holds at most 2: use torch-export")
    with random_state_kept(), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one input has the same batch as the other
        made = torch.onnx.export(
            program,
            program.examples(2),
            dynamo=True,
            verbose=False,
            external_data=False,
            input_names=program.inputs,
            output_names=program.outputs,
            dynamic_shapes=program.shapes,
        ).model_proto
    onnx.helper.set_model_props(made, about(program))
    with written_beside(file) as beside:
        onnx.save(made, beside)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = 1
        session = runtime.InferenceSession(beside, options, providers=["CPUExecutionProvider"])

        def run(*inputs: Tensor) -> list[Tensor]:
            given = dict(zip(program.inputs, (each.numpy() for each in inputs), strict=True))
            return [torch.from_numpy(output) for output in session.run(program.outputs, given)]

        return compared(program, run)


def about(program: Program) -> dict[str, str]:
    """What one has to know to use the file without this library."""
    vit, height, width = program.vit, *program.vit.image_size
    facts = {
        "images": f"float32 (batch, {vit.channels}, {height}, {width}), {prepared(vit)}",
        "inputs": ", ".join(program.inputs),
        "outputs": ", ".join(program.outputs),
        "config": json.dumps(program.model.config),
    }
    if vit.value_range:
        facts["value_range"] = json.dumps(vit.value_range)
    if isinstance(program.model, MP3):
        facts["context"] = f"int64 (batch, {program.num_context}), the patches that may be seen, row by row from 0"
    elif vit.classes:
        facts["classes"] = json.dumps(list(vit.classes))
    return facts
