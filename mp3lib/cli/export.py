"""``python -m mp3lib export``."""

from __future__ import annotations

import argparse

from .options import Parser, figures_options, weights_options
from .training import NO_POSITIONS, note_no_use, with_positions
from .values import path, whole

KINDS = ("vit_pytorch", "timm", "onnx", "torch-export")


def add(commands) -> Parser:
    export = commands.add_parser(
        "export",
        parents=[figures_options(), weights_options()],
        help="weights in the format of another library",
        description="Every result is compared with the original before it is kept. What cannot be exact is refused "
        "with the reason.",
    )
    export.add_argument(
        "--to",
        choices=KINDS,
        required=True,
        help="vit_pytorch: a file .pt; timm: a folder that timm loads; onnx: a file .onnx; torch-export: a file .pt2",
    )
    export.add_argument("--out", type=path, required=True, metavar="PATH", help="file or folder to write")
    export.add_argument(
        "--vit", action="store_true", help="of a pretrained model the ViT alone, without the position classifier"
    )
    export.add_argument(
        "--context", type=whole, metavar="K", help="of a pretrained model, number of patches seen (onnx, torch-export)"
    )
    export.add_argument(
        "--attention", action="store_true", help="attention weights as a further output (onnx, torch-export)"
    )
    return export


def run(args: argparse.Namespace) -> dict:
    from .. import export
    from ..export.timm import is_stock
    from ..model import MP3, load_model

    program = args.to in ("onnx", "torch-export")
    if not program and (args.context or args.attention):
        what = "--context" if args.context else "--attention"
        raise ValueError(f"{what} is for onnx and torch-export; {args.to} has the whole model")
    model = load_model(args.weights)
    pretrained = isinstance(model, MP3)
    if pretrained and (args.vit or args.to == "timm"):
        model = model.vit
        print("the ViT alone; its classification head is not trained")
    pos_emb = with_positions(args, model)
    if args.no_pos_emb and isinstance(model, MP3):
        note_no_use("--no-pos-emb", NO_POSITIONS)
    if args.vit and not pretrained:
        note_no_use("--vit", "these weights are a ViT alone")
    if args.to == "vit_pytorch":
        if not pos_emb and not isinstance(model, MP3):
            raise ValueError(
                "the ViT of vit_pytorch.mp3 always adds position embeddings, and this one is used without: "
                "choose timm, onnx or torch-export"
            )
        difference = export.save_vit_pytorch(model, args.out)
    elif args.to == "timm":
        difference = export.save_timm(model, args.out, pos_emb=pos_emb)
        if not is_stock(model):
            print("timm has no such ViT of its own: to load it, import mp3lib.export.timm_vit before")
    else:
        save = export.save_onnx if args.to == "onnx" else export.save_torch_export
        options = {"pos_emb": pos_emb, "num_context": args.context, "attention": args.attention}
        difference = save(model, args.out, **options)
    print(f"{args.out}: written, read again and compared; the outputs differ by at most {difference:.1e}")
    return {"out": str(args.out), "to": args.to, "difference": difference}
