"""Right and wrong answers to the exercises of notebook 06."""

import copy
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
        """not a whole number of epochs"""
        return (labelled * epochs + unlabelled * pretraining_epochs) / labelled

    def multiplied_epochs(labelled, epochs, unlabelled, pretraining_epochs):
        """both numbers of epochs are multiplied: count images"""
        return epochs * pretraining_epochs

    def sum_of_images(labelled, epochs, unlabelled, pretraining_epochs):
        """multiply each number of epochs by its own images"""
        return (labelled + unlabelled) * (epochs + pretraining_epochs) // labelled

    def rounds(labelled, epochs, unlabelled, pretraining_epochs):
        """round down, not to the nearest whole number"""
        return round((labelled * epochs + unlabelled * pretraining_epochs) / labelled + 0.0)

    def one_more(labelled, epochs, unlabelled, pretraining_epochs):
        """this is one epoch too many"""
        return (labelled * epochs + unlabelled * pretraining_epochs) // labelled + 1

    def float_floor(labelled, epochs, unlabelled, pretraining_epochs):
        """it returns the float 31.0, expected an int"""
        return math.floor((labelled * epochs + unlabelled * pretraining_epochs) / labelled) * 1.0

    def upside_down(labelled, epochs, unlabelled, pretraining_epochs):
        """the images of pretraining are not counted"""
        return labelled // unlabelled * pretraining_epochs + epochs

    def ratio(labelled, epochs, unlabelled, pretraining_epochs):
        """this is how often the images of fine-tuning fit into those of pretraining"""
        return unlabelled * pretraining_epochs // (labelled * epochs)

    def ratio_plus(labelled, epochs, unlabelled, pretraining_epochs):
        """divide by the number of images in one epoch, not by those of all epochs of fine-tuning"""
        return unlabelled * pretraining_epochs // (labelled * epochs) + 1

    def unlabelled_times_epochs(labelled, epochs, unlabelled, pretraining_epochs):
        """pretraining takes pretraining_epochs, not epochs"""
        return (labelled + unlabelled) * epochs // labelled

    def all_images(labelled, epochs, unlabelled, pretraining_epochs):
        """an epoch over the unlabelled images is longer than one over the labelled"""
        return unlabelled * pretraining_epochs // unlabelled + epochs

    def less_labelled(labelled, epochs, unlabelled, pretraining_epochs):
        """an epoch of pretraining has all unlabelled images"""
        return (labelled * epochs + (unlabelled - labelled) * pretraining_epochs) // labelled

    def steps(labelled, epochs, unlabelled, pretraining_epochs):
        """it returns 95 instead of 31"""
        return (labelled * epochs + unlabelled * pretraining_epochs) // 100

    def divided_by_epochs_product(labelled, epochs, unlabelled, pretraining_epochs):
        """divide by the number of images in one epoch, not by those of all epochs of fine-tuning"""
        return (labelled * epochs + unlabelled * pretraining_epochs) // (labelled * epochs)

    def pre_rounded_up(labelled, epochs, unlabelled, pretraining_epochs):
        """round down"""
        return epochs + -(-unlabelled * pretraining_epochs // labelled)


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
        """the means do not have length 1"""
        return (F.normalize(test, dim=1) @ class_means(F.normalize(train, dim=1), train_labels).T).argmax(dim=1)

    def sums(train, train_labels, test):
        """these are sums, not means"""
        members = F.one_hot(train_labels).float().T
        return (test @ (members @ F.normalize(train, dim=1)).T).argmax(dim=1)

    def loud(train, train_labels, test):
        """the training features do not have length 1"""
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
        """not a one-hot vector"""
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
        """scale them again before you take distances"""
        means = class_means(F.normalize(train, dim=1), train_labels)
        return torch.cdist(F.normalize(test, dim=1), means).argmin(dim=1)

    def unscaled_distance(train, train_labels, test):
        """nothing is scaled to length 1, and these are distances"""
        return torch.cdist(test, class_means(train, train_labels)).argmin(dim=1)

    def floating(train, train_labels, test):
        """the result is float32, expected int64"""
        return nearest_mean.by_distance(train, train_labels, test).float()

    def normalizes_default_dim(train, train_labels, test):
        """each mean is scaled to length 1, so use dim=1"""
        return (
            F.normalize(test, dim=1) @ F.normalize(class_means(F.normalize(train, dim=1), train_labels), dim=0).T
        ).argmax(1)

    def standardised(train, train_labels, test):
        """the features are scaled to length 1, not to mean 0 and standard deviation 1"""
        means, cosines = (train.mean(0), train.std(0))
        return (
            F.normalize((test - means) / cosines, dim=1)
            @ F.normalize(class_means(F.normalize((train - means) / cosines, dim=1), train_labels), dim=1).T
        ).argmax(1)

    def farthest(train, train_labels, test):
        """it answers with the class of the smallest cosine"""
        return torch.cdist(
            F.normalize(test, dim=1), F.normalize(class_means(F.normalize(train, dim=1), train_labels), dim=1)
        ).argmax(1)

    def number_in_list(train, train_labels, test):
        """the classes are numbered backwards: class c is label c"""
        classes = train_labels.unique()
        means = torch.stack([F.normalize(train, dim=1)[train_labels == label].mean(0) for label in classes.flip(0)])
        return (F.normalize(test, dim=1) @ F.normalize(means, dim=1).T).argmax(1)

    def top_values(train, train_labels, test):
        """the result is float32, expected int64"""
        return (
            (F.normalize(test, dim=1) @ F.normalize(class_means(F.normalize(train, dim=1), train_labels), dim=1).T)
            .max(1)
            .values
        )

    def mean_over_all(train, train_labels, test):
        """this mean is over all classes: take one for each class"""
        means = F.normalize(train, dim=1).mean(0, keepdim=True).expand(int(train_labels.max()) + 1, -1)
        return (F.normalize(test, dim=1) @ F.normalize(means, dim=1).T).argmax(1)

    def one_answer(train, train_labels, test):
        """the result has the shape (), expected (100,)"""
        return (
            F.normalize(test, dim=1) @ F.normalize(class_means(F.normalize(train, dim=1), train_labels), dim=1).T
        ).argmax()

    def l1(train, train_labels, test):
        """length is the root of the sum of squares, not the sum of absolute values"""
        return (
            F.normalize(test, p=1, dim=1)
            @ F.normalize(class_means(F.normalize(train, p=1, dim=1), train_labels), p=1, dim=1).T
        ).argmax(1)

    def means_of_raw_then_unit_distance(train, train_labels, test):
        """the training features do not have length 1: a long one counts more"""
        return torch.cdist(F.normalize(test, dim=1), F.normalize(class_means(train, train_labels), dim=1)).argmin(1)

    def knn_vote(train, train_labels, test):
        """the nearest images vote here: compare with the mean of each class"""
        cosines = (F.normalize(test, dim=1) @ F.normalize(train, dim=1).T).topk(5, dim=1).indices
        return train_labels[cosines].mode(1).values

    def mean_cosine(train, train_labels, test):
        """the means do not have length 1"""
        cosines = F.normalize(test, dim=1) @ F.normalize(train, dim=1).T
        return torch.stack(
            [cosines[:, train_labels == label].mean(1) for label in range(int(train_labels.max()) + 1)], 1
        ).argmax(1)

    def max_cosine(train, train_labels, test):
        """this is the nearest image, not the nearest mean"""
        cosines = F.normalize(test, dim=1) @ F.normalize(train, dim=1).T
        return torch.stack(
            [cosines[:, train_labels == label].max(1).values for label in range(int(train_labels.max()) + 1)], 1
        ).argmax(1)

    def from_one(train, train_labels, test):
        """classes are numbered from 0"""
        return (
            F.normalize(test, dim=1) @ F.normalize(class_means(F.normalize(train, dim=1), train_labels), dim=1).T
        ).argmax(1) + 1

    def int_32(train, train_labels, test):
        """the result is int32, expected int64"""
        return (
            (F.normalize(test, dim=1) @ F.normalize(class_means(F.normalize(train, dim=1), train_labels), dim=1).T)
            .argmax(1)
            .int()
        )

    def column(train, train_labels, test):
        """the result has the shape (100, 1), expected (100,)"""
        return (
            F.normalize(test, dim=1) @ F.normalize(class_means(F.normalize(train, dim=1), train_labels), dim=1).T
        ).argmax(1, keepdim=True)

    def l1_distance(train, train_labels, test):
        """these are sums of absolute differences: take the largest cosine"""
        return torch.cdist(
            F.normalize(test, dim=1), F.normalize(class_means(F.normalize(train, dim=1), train_labels), dim=1), p=1
        ).argmin(1)

    def test_means(train, train_labels, test):
        """argmax runs over the test images, not over the classes: use dim=1"""
        means = F.normalize(class_means(F.normalize(train, dim=1), train_labels), dim=1)
        return (means @ F.normalize(test, dim=1).T).argmax(1)


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
        """these parameters should train"""
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

    def eval_mode(vit, layers):
        """nothing is frozen"""
        vit.to_patch_embedding.eval()
        [one.eval() for one in vit.transformer.layers[:layers]]
        return trainable(vit)

    def no_grad_only(vit, layers):
        """nothing is frozen"""
        with torch.no_grad():
            for one in vit.transformer.layers[:layers]:
                list(one.parameters())
        return trainable(vit)

    def counted_first(vit, layers):
        """all parameters are counted, the frozen ones too"""
        c = trainable(vit)
        if layers:
            freeze(vit.to_patch_embedding, *vit.transformer.layers[:layers])
        return c

    def returns_nothing(vit, layers):
        """it returns None: is the return missing?"""
        if layers:
            freeze(vit.to_patch_embedding, *vit.transformer.layers[:layers])

    def returns_vit(vit, layers):
        """it returns a ViT, expected a whole number"""
        if layers:
            freeze(vit.to_patch_embedding, *vit.transformer.layers[:layers])
        return vit

    def only_layer_n(vit, layers):
        """only layer number `layers` is frozen: freeze those below it"""
        if layers:
            freeze(vit.to_patch_embedding, vit.transformer.layers[layers])
        return trainable(vit)

    def only_feed_forward(vit, layers):
        """only a part of each layer is frozen"""
        if layers:
            freeze(vit.to_patch_embedding)
            for one in vit.transformer.layers[:layers]:
                freeze(one[1])
        return trainable(vit)

    def copy_frozen(vit, layers):
        """a copy is frozen: freeze the ViT that is given"""
        w = copy.deepcopy(vit)
        if layers:
            freeze(w.to_patch_embedding, *w.transformer.layers[:layers])
        return trainable(w)

    def first_n_parameters(vit, layers):
        """these are the first parameters, not the lowest layers"""
        for p in list(vit.parameters())[:layers]:
            p.requires_grad_(False)
        return trainable(vit)

    def first_n_children(vit, layers):
        """all layers are frozen, not only the lowest"""
        freeze(*list(vit.children())[:layers])
        return trainable(vit)

    def grad_to_true(vit, layers):
        """nothing is frozen"""
        if layers:
            for part in (vit.to_patch_embedding, *vit.transformer.layers[:layers]):
                for p in part.parameters():
                    p.requires_grad_(True)
        return trainable(vit)

    def millions(vit, layers):
        """these are millions: return the number itself"""
        if layers:
            freeze(vit.to_patch_embedding, *vit.transformer.layers[:layers])
        return trainable(vit) / 1000000.0

    def biases_alone(vit, layers):
        """only the vectors are frozen: weight matrices are parameters too"""
        if layers:
            for part in (vit.to_patch_embedding, *vit.transformer.layers[:layers]):
                for p in part.parameters():
                    if p.ndim == 1:
                        p.requires_grad_(False)
        return trainable(vit)

    def norm_forgotten(vit, layers):
        """only a part of the patch embedding is frozen"""
        if layers:
            freeze(
                vit.to_patch_embedding[-1]
                if hasattr(vit.to_patch_embedding, "__getitem__")
                else vit.to_patch_embedding,
                *vit.transformer.layers[:layers],
            )
        return trainable(vit)

    def without_head(vit, layers):
        """only the layers are counted: the head trains too"""
        if layers:
            freeze(vit.to_patch_embedding, *vit.transformer.layers[:layers])
        return trainable(vit) - sum(p.numel() for p in vit.linear_head.parameters())

    def above(vit, layers):
        """the highest layers are frozen, not the lowest"""
        freeze(*vit.transformer.layers[layers:])
        return trainable(vit)

    def layers_counted(vit, layers):
        """this is a number of layers: how many numbers still train?"""
        if layers:
            freeze(vit.to_patch_embedding, *vit.transformer.layers[:layers])
        return len(vit.transformer.layers) - layers

    def frozen_layers_removed(vit, layers):
        """only the layers are counted: the head trains too"""
        if layers:
            freeze(vit.to_patch_embedding, *vit.transformer.layers[:layers])
        return sum(p.numel() for one in vit.transformer.layers[layers:] for p in one.parameters())
