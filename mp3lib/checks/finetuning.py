"""Exercises of notebook 06: training at equal cost, a probe of class means, and freezing the lower layers."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor

from ..model.vit import ViT
from .compare import by_sentence, equals, judge, must
from .harness import SafeFunction, checker, randn, seeded


@checker
def check_equal_epochs(your_function: SafeFunction) -> None:
    """The number of whole epochs from scratch that process as many images as pretraining and fine-tuning together."""
    results, rights, mistakes = [], [], []
    for labelled, epochs, unlabelled, pretraining_epochs in (
        (300, 5, 1000, 8),
        (5000, 15, 50_000, 10),
        (70, 3, 500, 2),
    ):
        pretraining = unlabelled * pretraining_epochs
        passes = labelled * epochs + pretraining
        mistakes.append({
            "both numbers of epochs are multiplied: count images": epochs * pretraining_epochs,
            "multiply each number of epochs by its own images: labelled * epochs + unlabelled * pretraining_epochs": (
                (labelled + unlabelled) * (epochs + pretraining_epochs) // labelled
            ),
            "this is how often the images of fine-tuning fit into those of pretraining": (
                pretraining // (labelled * epochs)
            ),
            "divide by the number of images in one epoch, not by those of all epochs of fine-tuning": (
                passes // (labelled * epochs)
            ),
            "pretraining takes pretraining_epochs, not epochs": (labelled + unlabelled) * epochs // labelled,
            "an epoch of pretraining has all unlabelled images: do not subtract the labelled": (
                (labelled * epochs + (unlabelled - labelled) * pretraining_epochs) // labelled
            ),
            "round down, not to the nearest whole number": round(passes / labelled),
            "this is one epoch too many": passes // labelled + 1,
            "round down: one epoch more would cost more than pretraining and fine-tuning": -(-passes // labelled),
            "the images of pretraining are not counted": epochs,
            "the images of fine-tuning are not counted": pretraining // labelled,
            "the images of fine-tuning are subtracted: add them": pretraining // labelled - epochs,
            "pretraining and fine-tuning both count, not the longer one alone": max(epochs, pretraining_epochs),
            "an epoch over the unlabelled images is longer than one over the labelled: count images": epochs
            + pretraining_epochs,
            "the two numbers of epochs are swapped": (labelled * pretraining_epochs + unlabelled * epochs) // labelled,
            "an epoch from scratch has only the labelled images: divide by their number": passes // unlabelled,
            "an epoch from scratch has only the labelled images: divide by their number alone": passes
            // (labelled + unlabelled),
            "round down once, at the end: unlabelled // labelled rounds too early": epochs
            + pretraining_epochs * (unlabelled // labelled),
            "divide by the number of images in an epoch, not by a number of epochs": passes // epochs,
            "this is the number of images: divide it by the images of one epoch": passes,
            "this is one epoch too few": passes // labelled - 1,
            "this is not a whole number of epochs: round down": passes / labelled,
        })  # fmt: skip
        rights.append(passes // labelled)
        results.append(your_function(labelled, epochs, unlabelled, pretraining_epochs))
    judge(results, rights, by_sentence(mistakes))


@checker
def check_nearest_mean(your_function: SafeFunction) -> None:
    """The class whose mean of normalized training features has the largest cosine similarity with the test feature."""
    classes, d = 4, 6
    centres = randn(classes, d, seed=3)
    labels = torch.tensor([2, 0, 3, 1] * 10 + [2] * 9)  # label 2 comes first, and class 2 has more images
    scale = randn(len(labels), 1, seed=1).exp() * (1 + 3 * (labels[:, None] == 1))
    train = (centres[labels] + (1 + labels[:, None]) * 0.5 * randn(len(labels), d, seed=2)) * scale
    test = centres.repeat(25, 1) + 1.2 * randn(25 * classes, d, seed=4)
    unit, queries = F.normalize(train, dim=1), F.normalize(test, dim=1)

    def means(features: Tensor, kind: str = "mean") -> Tensor:
        of_class = [features[labels == label] for label in range(classes)]
        return torch.stack([f.median(dim=0).values if kind == "median" else f.mean(dim=0) for f in of_class])

    cosine = queries @ F.normalize(means(unit), dim=1).T
    first_seen = torch.tensor([2, 0, 3, 1])
    votes = labels[(queries @ unit.T).topk(5, dim=1).indices]

    def standard(features: Tensor) -> Tensor:
        return F.normalize((features - train.mean(dim=0)) / train.std(dim=0), dim=1)

    sums = torch.stack([unit[labels == label].sum(dim=0) for label in range(classes)])
    mistakes = {
        "it returns the cosines: answer with the class of the largest": cosine,
        "it answers with the class of the smallest cosine": cosine.argmin(dim=1),
        "classes are numbered from 0": cosine.argmax(dim=1) + 1,
        "the classes are numbered backwards: class c is label c": classes - 1 - cosine.argmax(dim=1),
        "each mean is scaled to length 1, so use dim=1": ((queries @ F.normalize(means(unit), dim=0).T).argmax(dim=1)),
        "this mean is over all classes: take one for each class": torch.zeros(len(test), dtype=torch.int64),
        "the features are scaled to length 1, not to mean 0 and standard deviation 1": (
            (standard(test) @ F.normalize(means(standard(train)), dim=1).T).argmax(dim=1)
        ),
        "length is the root of the sum of squares, not the sum of absolute values": (
            (F.normalize(test, p=1, dim=1) @ F.normalize(means(F.normalize(train, p=1, dim=1)), p=1, dim=1).T).argmax(
                dim=1
            )
        ),
        "these are sums of absolute differences: take the largest cosine": (
            torch.cdist(queries, F.normalize(means(unit), dim=1), p=1).argmin(dim=1)
        ),
        "the nearest images vote here: compare with the mean of each class": votes.mode(dim=1).values,
        "argmax runs over the test images, not over the classes: use dim=1": cosine.argmax(dim=0),
        "cosines have a sign: do not take the absolute value": cosine.abs().argmax(dim=1),
        "return the number of the class, not a one-hot vector": F.one_hot(cosine.argmax(dim=1), classes),
        "it never answers with the last class: there are labels.max() + 1 classes": cosine[:, :-1].argmax(dim=1),
        "these are the classes of the training images: answer for the test images": (
            (unit @ F.normalize(means(unit), dim=1).T).argmax(dim=1)
        ),
        "this is the median of each class, not the mean": (
            (queries @ F.normalize(means(unit, "median"), dim=1).T).argmax(dim=1)
        ),
        "the means do not have length 1: scale them again, or a class with scattered features loses": (
            (queries @ means(unit).T).argmax(dim=1)
        ),
        "the means do not have length 1: scale them again before you take distances": (
            torch.cdist(queries, means(unit)).argmin(dim=1)
        ),
        "these are sums, not means: a class with more images wins": (queries @ sums.T).argmax(dim=1),
        "the training features do not have length 1: a long one counts more": (
            (queries @ F.normalize(means(train), dim=1).T).argmax(dim=1)
        ),
        "nothing is scaled to length 1": (test @ means(train).T).argmax(dim=1),
        "nothing is scaled to length 1, and these are distances": torch.cdist(test, means(train)).argmin(dim=1),
        "the feature of each image is scaled to length 1, so use dim=1": (
            (F.normalize(test, dim=0) @ F.normalize(means(F.normalize(train, dim=0)), dim=1).T).argmax(dim=1)
        ),
        "the classes are numbered in the order of their first image: class c is label c": first_seen.argsort()[
            cosine.argmax(dim=1)
        ],
        "this is the nearest image, not the nearest mean": labels[(queries @ unit.T).argmax(dim=1)],
    }
    your_function(train, labels, test).must_be(cosine.argmax(dim=1), mistakes)


@checker
def check_freeze_below(your_function: SafeFunction) -> None:
    """Freezes the patch embedding and the lowest layers, and returns the number of parameters left to train."""
    depth = 4
    original = seeded(
        lambda: ViT(num_classes=3, image_size=8, patch_size=4, dim=8, depth=depth, heads=1, dim_head=4, mlp_dim=8)
    )
    everything = sum(p.numel() for p in original.parameters())
    for layers in (2, 0, 3, 1):
        vit = copy.deepcopy(original)
        result = your_function.allow(change=True)(vit, layers)
        below = [vit.to_patch_embedding, *vit.transformer.layers[:layers]] if layers else []
        right = {p for part in below for p in part.parameters()}
        frozen = {p for p in vit.parameters() if not p.requires_grad}
        embedding = set(vit.to_patch_embedding.parameters())
        one_more = right | embedding | set(vit.transformer.layers[: layers + 1].parameters())
        one_fewer = embedding | set(vit.transformer.layers[: max(layers - 1, 0)].parameters())
        upper = {p for part in vit.transformer.layers[depth - layers :] for p in part.parameters()}
        last = set(vit.transformer.layers[max(layers - 1, 0)].parameters())
        halves = [
            embedding | {p for layer in vit.transformer.layers[:layers] for p in layer[half].parameters()}
            for half in (0, 1)
        ]
        body = embedding | set(vit.transformer.parameters())
        layer_number = set(vit.transformer.layers[layers].parameters()) if layers < depth else set()
        of_a_copy = not frozen and equals(result.value, everything - sum(p.numel() for p in right))
        mistakes = {
            "a copy is frozen: freeze the ViT that is given": layers > 0 and of_a_copy,
            "only layer number `layers` is frozen: freeze those below it": layers > 0
            and frozen in (layer_number, layer_number | embedding),
            "these are the first parameters, not the lowest layers: a layer has several": layers > 0
            and frozen == set(list(vit.parameters())[:layers]),
            "only the vectors are frozen: weight matrices are parameters too": frozen
            == {p for p in right if p.ndim == 1},
            "only a part of the patch embedding is frozen: it is `vit.to_patch_embedding`": layers > 0
            and right - embedding < frozen < right,
            "nothing is frozen: set requires_grad of each parameter, with requires_grad_(False)": not frozen,
            "with 0 layers nothing is frozen, not even the patch embedding": not layers and frozen == embedding,
            "the patch embedding is not frozen: it comes before the lowest layer": frozen == right - embedding,
            "one layer too many is frozen": frozen == one_more,
            "one layer too few is frozen": layers > 1 and frozen in (one_fewer, one_fewer - embedding),
            "only one layer is frozen: those below it have to be frozen too": layers > 1
            and frozen in (last, last | embedding),
            "only a part of each layer is frozen: a layer is attention and feed-forward": frozen in halves
            or frozen in [half - embedding for half in halves],
            "only the weight matrices are frozen: biases and norms have parameters too": frozen
            == {p for p in right if p.ndim > 1},
            "all layers are frozen, not only the lowest": frozen == body,
            "everything is frozen, the head too": frozen == set(vit.parameters()),
            "the patch embedding alone is frozen": frozen == embedding,
            "the highest layers are frozen, not the lowest": frozen in (upper, upper | embedding),
            "these parameters should train: freeze the others instead": (frozen == set(vit.parameters()) - right),
            "the head is frozen too: it has to learn the classes": right
            < frozen
            <= right | set(vit.linear_head.parameters()),
        }
        must(frozen == right, f"with {layers} layers the wrong parameters are frozen", mistakes)
        pairs = zip(vit.parameters(), original.parameters(), strict=True)
        must(all(torch.equal(a, b) for a, b in pairs), "the weights have changed: freezing leaves them as they are")
        left = everything - sum(p.numel() for p in right)
        counts = {
            "this is how many are frozen: how many are left to train?": everything - left,
            "only the layers are counted: the head trains too": sum(
                p.numel() for p in vit.transformer.parameters() if p.requires_grad
            ),
            "this is a share of all parameters: return how many train": (everything - sum(p.numel() for p in right))
            / everything,
            "tensors are counted, not the numbers in them: numel()": sum(p.requires_grad for p in vit.parameters()),
            "all parameters are counted, the frozen ones too": everything,
            "this is a number of layers: how many numbers still train?": depth - layers,
            "these are millions: return the number itself": left / 1e6,
        }
        result.must_be(left, counts)
