"""Right and wrong answers to the exercises of notebook 06."""

import math

import torch
import torch.nn.functional as F


class equal_epochs:
    def loop(labelled, epochs, unlabelled, pretraining_epochs):
        """passed"""
        passes, whole = labelled * epochs + unlabelled * pretraining_epochs, 0
        while labelled * (whole + 1) <= passes:
            whole += 1
        return whole

    def rounded_up(labelled, epochs, unlabelled, pretraining_epochs):
        """round down"""
        return math.ceil((labelled * epochs + unlabelled * pretraining_epochs) / labelled)

    def fine_tuning_only(labelled, epochs, unlabelled, pretraining_epochs):
        """the images of pretraining are not counted"""
        return epochs

    def pretraining_only(labelled, epochs, unlabelled, pretraining_epochs):
        """the images of fine-tuning are not counted"""
        return unlabelled * pretraining_epochs // labelled

    def added(labelled, epochs, unlabelled, pretraining_epochs):
        """count images"""
        return epochs + pretraining_epochs

    def over_all(labelled, epochs, unlabelled, pretraining_epochs):
        """divide by their number"""
        return (labelled * epochs + unlabelled * pretraining_epochs) // unlabelled

    def passes(labelled, epochs, unlabelled, pretraining_epochs):
        """this is the number of images"""
        return labelled * epochs + unlabelled * pretraining_epochs

    def over_both(labelled, epochs, unlabelled, pretraining_epochs):
        """divide by their number alone"""
        return (labelled * epochs + unlabelled * pretraining_epochs) // (labelled + unlabelled)

    def swapped(labelled, epochs, unlabelled, pretraining_epochs):
        """the two numbers of epochs are swapped"""
        return (labelled * pretraining_epochs + unlabelled * epochs) // labelled

    def subtracted(labelled, epochs, unlabelled, pretraining_epochs):
        """are subtracted: add them"""
        return unlabelled * pretraining_epochs // labelled - epochs

    def rounded_early(labelled, epochs, unlabelled, pretraining_epochs):
        """round down once, at the end"""
        return epochs + pretraining_epochs * (unlabelled // labelled)

    def one_too_few(labelled, epochs, unlabelled, pretraining_epochs):
        """one epoch too few"""
        return equal_epochs.loop(labelled, epochs, unlabelled, pretraining_epochs) - 1

    def longer_one(labelled, epochs, unlabelled, pretraining_epochs):
        """both count"""
        return max(epochs, pretraining_epochs)

    def not_a_number(labelled, epochs, unlabelled, pretraining_epochs):
        """it returns the float nan, expected an int"""
        return math.nan

    def not_whole(labelled, epochs, unlabelled, pretraining_epochs):
        """not whole"""
        return (labelled * epochs + unlabelled * pretraining_epochs) / labelled


def class_means(features, labels):
    return torch.stack([features[labels == label].mean(dim=0) for label in range(int(labels.max()) + 1)])


class nearest_mean:
    def loop(train, train_labels, test):
        """passed"""
        answers = []
        means = class_means(torch.stack([x / x.norm() for x in train]), train_labels)
        for question in test:
            answers.append(max(range(len(means)), key=lambda c: float(means[c] @ question / means[c].norm())))
        return torch.tensor(answers)

    def by_distance(train, train_labels, test):
        """passed"""
        means = F.normalize(class_means(F.normalize(train, dim=1), train_labels), dim=1)
        return torch.cdist(F.normalize(test, dim=1), means).argmin(dim=1)

    def cosines(train, train_labels, test):
        """it returns the cosines"""
        means = class_means(F.normalize(train, dim=1), train_labels)
        return F.normalize(test, dim=1) @ F.normalize(means, dim=1).T

    def least(train, train_labels, test):
        """the smallest cosine"""
        means = class_means(F.normalize(train, dim=1), train_labels)
        return (test @ F.normalize(means, dim=1).T).argmin(dim=1)

    def short_means(train, train_labels, test):
        """the means are not of length 1 again"""
        return (F.normalize(test, dim=1) @ class_means(F.normalize(train, dim=1), train_labels).T).argmax(dim=1)

    def sums(train, train_labels, test):
        """these are sums, not means"""
        members = F.one_hot(train_labels).float().T
        return (test @ (members @ F.normalize(train, dim=1)).T).argmax(dim=1)

    def loud(train, train_labels, test):
        """the training features are not of length 1"""
        return (test @ F.normalize(class_means(train, train_labels), dim=1).T).argmax(dim=1)

    def unscaled(train, train_labels, test):
        """nothing is scaled"""
        return (test @ class_means(train, train_labels).T).argmax(dim=1)

    def wrong_axis(train, train_labels, test):
        """so use dim=1"""
        means = class_means(F.normalize(train, dim=0), train_labels)
        return (F.normalize(test, dim=0) @ F.normalize(means, dim=1).T).argmax(dim=1)

    def as_they_come(train, train_labels, test):
        """numbered in the order of their first image"""
        train, order = F.normalize(train, dim=1), list(dict.fromkeys(train_labels.tolist()))
        means = torch.stack([train[train_labels == label].mean(dim=0) for label in order])
        return (test @ F.normalize(means, dim=1).T).argmax(dim=1)

    def nearest_image(train, train_labels, test):
        """the nearest image, not the nearest mean"""
        return train_labels[(F.normalize(test, dim=1) @ F.normalize(train, dim=1).T).argmax(dim=1)]

    def over_the_images(train, train_labels, test):
        """argmax runs over the test images"""
        return nearest_mean.cosines(train, train_labels, test).argmax(dim=0)

    def absolute(train, train_labels, test):
        """do not take the absolute value"""
        return nearest_mean.cosines(train, train_labels, test).abs().argmax(dim=1)

    def one_hot(train, train_labels, test):
        """not one-hot"""
        return F.one_hot(nearest_mean.by_distance(train, train_labels, test))

    def without_the_last(train, train_labels, test):
        """never answers with the last class"""
        return nearest_mean.cosines(train, train_labels, test)[:, :-1].argmax(dim=1)

    def of_the_training_images(train, train_labels, test):
        """answer for the test images"""
        return nearest_mean.by_distance(train, train_labels, train)

    def medians(train, train_labels, test):
        """this is the median"""
        train = F.normalize(train, dim=1)
        found = [train[train_labels == label].median(dim=0).values for label in range(int(train_labels.max()) + 1)]
        return (test @ F.normalize(torch.stack(found), dim=1).T).argmax(dim=1)

    def distance_to_short_means(train, train_labels, test):
        """scale them before you take distances"""
        means = class_means(F.normalize(train, dim=1), train_labels)
        return torch.cdist(F.normalize(test, dim=1), means).argmin(dim=1)

    def unscaled_distance(train, train_labels, test):
        """nothing is scaled to length 1, and these are distances"""
        return torch.cdist(test, class_means(train, train_labels)).argmin(dim=1)

    def floating(train, train_labels, test):
        """the result is float32, expected int64"""
        return nearest_mean.by_distance(train, train_labels, test).float()


def freeze(*parts):
    for part in parts:
        part.requires_grad_(False)


def trainable(vit):
    return sum(p.numel() for p in vit.parameters() if p.requires_grad)


class freeze_below:
    def by_name(vit, layers):
        """passed"""
        low = ("to_patch_embedding.", *(f"transformer.layers.{i}." for i in range(layers))) if layers else ()
        left = 0
        for name, parameter in vit.named_parameters():
            parameter.requires_grad = not name.startswith(low)
            left += parameter.numel() * parameter.requires_grad
        return left

    def attribute_of_the_part(vit, layers):
        """nothing is frozen"""
        for part in [vit.to_patch_embedding, *vit.transformer.layers[:layers]]:
            part.requires_grad = False
        return trainable(vit)

    def embedding_always(vit, layers):
        """with 0 layers nothing is frozen"""
        freeze(vit.to_patch_embedding, *vit.transformer.layers[:layers])
        return trainable(vit)

    def embedding_never(vit, layers):
        """the patch embedding is not frozen"""
        freeze(*vit.transformer.layers[:layers])
        return trainable(vit)

    def one_too_many(vit, layers):
        """one layer too many"""
        if layers:
            freeze(vit.to_patch_embedding, *vit.transformer.layers[: layers + 1])
        return trainable(vit)

    def embedding_alone(vit, layers):
        """the patch embedding alone"""
        if layers:
            freeze(vit.to_patch_embedding)
        return trainable(vit)

    def from_above(vit, layers):
        """the highest layers are frozen"""
        if layers:
            freeze(vit.to_patch_embedding, *vit.transformer.layers[-layers:])
        return trainable(vit)

    def other_way_round(vit, layers):
        """the other way round"""
        freeze(vit)
        if layers:
            for part in (vit.to_patch_embedding, *vit.transformer.layers[:layers]):
                part.requires_grad_(True)
        return trainable(vit)

    def head_too(vit, layers):
        """the head is frozen too"""
        if layers:
            freeze(vit.to_patch_embedding, *vit.transformer.layers[:layers], vit.linear_head)
        return trainable(vit)

    def one_too_few(vit, layers):
        """one layer too few"""
        if layers:
            freeze(vit.to_patch_embedding, *vit.transformer.layers[: layers - 1])
        return trainable(vit)

    def one_alone(vit, layers):
        """only one layer is frozen"""
        if layers:
            freeze(vit.to_patch_embedding, vit.transformer.layers[layers - 1])
        return trainable(vit)

    def attention_alone(vit, layers):
        """only a part of each layer is frozen"""
        if layers:
            freeze(vit.to_patch_embedding, *(attention for attention, _ in vit.transformer.layers[:layers]))
        return trainable(vit)

    def matrices_alone(vit, layers):
        """only the weight matrices are frozen"""
        parts = (vit.to_patch_embedding, *vit.transformer.layers[:layers]) if layers else ()
        freeze(*(parameter for part in parts for parameter in part.parameters() if parameter.ndim > 1))
        return trainable(vit)

    def all_layers(vit, layers):
        """all layers are frozen"""
        if layers:
            freeze(vit.to_patch_embedding, vit.transformer)
        return trainable(vit)

    def everything(vit, layers):
        """everything is frozen"""
        freeze(vit)
        return trainable(vit)

    def counts_layers_alone(vit, layers):
        """only the layers are counted"""
        freeze_below.by_name(vit, layers)
        return trainable(vit.transformer)

    def share(vit, layers):
        """this is a share of all parameters"""
        return freeze_below.by_name(vit, layers) / sum(p.numel() for p in vit.parameters())

    def counts_the_frozen(vit, layers):
        """this is how many are frozen"""
        everything = trainable(vit)
        return everything - freeze_below.by_name(vit, layers)

    def counts_tensors(vit, layers):
        """tensors are counted"""
        freeze_below.by_name(vit, layers)
        return sum(p.requires_grad for p in vit.parameters())

    def counts_all(vit, layers):
        """the frozen ones too"""
        freeze_below.by_name(vit, layers)
        return sum(p.numel() for p in vit.parameters())

    def zeroes(vit, layers):
        """the weights have changed"""
        left = freeze_below.by_name(vit, layers)
        for parameter in vit.parameters():
            parameter.data *= parameter.requires_grad
        return left
