"""What ``python -m mp3lib evaluate`` measures and prints: of a classifier, and of a pretrained model."""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

from ..data import Images
from ..evaluate import patch_only_floor, position_accuracy
from ..evaluate.probes import predictions
from ..model import MP3, ViT
from .training import with_positions

FLOOR_PATCHES = 3_200_000  # on which the floor is trained, at most: 50,000 images of 64 patches


def measure_top1(args: argparse.Namespace, images: Images, vit: ViT) -> dict:
    """Of a classifier: top-1 accuracy on the test images, over all of them and for each class."""
    pos_emb, test, by_class = with_positions(args, vit), images.test, {}
    labels = labels_for(vit, images, args.weights)
    predicted, numbers = predictions(vit, test.images, pos_emb=pos_emb)  # one pass, also over a stream of many classes
    right, label_of = predicted == labels[numbers], test.labels[numbers]
    for label, name in enumerate(images.classes):
        if number := int((chosen := label_of == label).sum()):
            by_class[name] = {"images": number, "top1": right[chosen].sum().item() / number}
            print(f"{name:>12} {by_class[name]['top1']:8.4f}")
    top1 = right.sum().item() / len(right)
    print(f"{'all':>12} {top1:8.4f}")
    return {"top1": top1, "pos_emb": pos_emb, "classes": by_class}


def labels_for(vit: ViT, images: Images, weights: str) -> Tensor:
    """The labels of the test images in the numbering of the classifier, which may know its classes by name.

    Raises:
        ValueError: if the images have classes that the classifier does not have.
    """
    if vit.classes is None:
        if vit.num_classes != len(images.classes):
            raise ValueError(
                f"{weights} tells {vit.num_classes} classes apart, whose names it does not hold; "
                f"{images.name} has {len(images.classes)}: {', '.join(images.classes[:10])}"
            )
        return images.test.labels
    if unknown := [name for name in images.classes if name not in vit.classes]:
        case = "; they differ from those in upper and lower case alone: rename them as the classifier names its classes"
        known = {name.casefold() for name in vit.classes}
        raise ValueError(
            f"{weights} does not have {', '.join(unknown[:10])} among its classes ({', '.join(vit.classes[:10])}), "
            f"so it cannot be evaluated on {images.name}: fine-tune it on these classes first"
            + case
            * all(name.casefold() in known for name in unknown)
        )
    return torch.tensor([vit.classes.index(name) for name in images.classes])[images.test.labels]


def measure_positions(args: argparse.Namespace, images: Images, mp3: MP3) -> dict:
    """Of a pretrained model: position accuracy by mask ratio, beside the patch-only floor and chance."""
    n = mp3.vit.num_patches
    scores = position_accuracy(mp3, images.test.images, args.mask_ratios, jigsaw=True, seed=args.seed)
    print(f"{'mask ratio':>12} {'argmax':>8} {'Hungarian':>10} {'whole':>8} {'loss':>8}")
    for ratio, s in scores.items():
        print(f"{ratio:12.2f} {s['accuracy']:8.4f} {s['jigsaw']:10.4f} {s['whole']:8.4f} {s['loss']:8.4f}")
    figures = {"positions": {str(ratio): s for ratio, s in scores.items()}}
    if args.floor_epochs:
        figures["patch_only"] = floor = measure_floor(args, images, mp3.vit)
        print(f"{'patch only':>12} {floor['accuracy']:8.4f} {'':>10} {'':>8} {floor['loss']:8.4f}")
    print(f"{'chance':>12} {1 / n:8.4f}")
    return figures | {"chance": 1 / n}


def measure_floor(args: argparse.Namespace, images: Images, vit: ViT) -> dict:
    """The patch-only floor of the images, with the number of epochs and of training images that it took."""
    train = images.train.images[: args.limit]
    train = train[:: -(-len(train) * vit.num_patches // FLOOR_PATCHES)]
    floor = patch_only_floor(
        train,
        images.test.images,
        vit.patch_size,
        epochs=args.floor_epochs,
        seed=args.seed,
        patch_norm=vit.patch_norm,
    )
    return floor._asdict() | {"epochs": args.floor_epochs, "images": len(train)}
